"use strict";
const root = document.documentElement;
root.classList.add("js");

/** Parse the data that the page holds under an id; null where there is none. */
function pageData(id) {
  const found = document.getElementById(id);
  return found ? JSON.parse(found.textContent) : null;
}

/** The value of a colour of the style sheet. */
function colour(name) {
  return getComputedStyle(root).getPropertyValue("--" + name).trim();
}

const repaints = [];

/** Call paint now, and whenever the size or the colours of the page change. */
function onRepaint(paint) {
  repaints.push(paint);
  paint();
}

function repaint() {
  for (const paint of repaints) paint();
}

/** Fit a canvas to its place; return its context in CSS pixels, with width and height. */
function fitted(canvas, height) {
  const ratio = window.devicePixelRatio || 1;
  const width = canvas.clientWidth || canvas.parentElement.clientWidth || 300;
  canvas.style.height = height + "px";
  canvas.width = Math.round(width * ratio);
  canvas.height = Math.round(height * ratio);
  const context = canvas.getContext("2d");
  context.setTransform(ratio, 0, 0, ratio, 0, 0);
  context.clearRect(0, 0, width, height);
  context.font = "12px system-ui, sans-serif";
  context.textBaseline = "middle";
  return { context, width, height };
}

/** A number with three significant digits and no exponent where it can be read without. */
function digits(value) {
  if (value === null || value === undefined || Number.isNaN(value)) return "-";
  if (value === 0) return "0";
  const size = Math.abs(value);
  if (size >= 1e6 || size < 1e-4) return value.toExponential(2);
  return size >= 1000 ? Math.round(value).toLocaleString("en")
    : String(Number(value.toPrecision(3)));
}

/** A time in seconds as people read it. */
function duration(seconds) {
  if (seconds === 0) return "0 s";
  for (const [factor, unit] of [[1, "s"], [1e-3, "ms"], [1e-6, "µs"]]) {
    if (Math.abs(seconds) >= factor * 0.9995) return digits(seconds / factor) + " " + unit;
  }
  return digits(seconds / 1e-9) + " ns";
}

const theme = document.querySelector(".theme");

function isDark() {
  const chosen = root.dataset.theme;
  return chosen ? chosen === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
}

function tellTheme() {
  theme.textContent = isDark() ? "Light" : "Dark";
  theme.setAttribute("aria-label", "Switch to " + theme.textContent.toLowerCase() + " colours");
  repaint();
}

theme.addEventListener("click", () => {
  root.dataset.theme = isDark() ? "light" : "dark";
  tellTheme();
});
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", tellTheme);
window.addEventListener("resize", repaint);
// Paper is light, whatever the screen is.
let onScreen;
window.addEventListener("afterprint", () => {
  if (onScreen === undefined) delete root.dataset.theme; else root.dataset.theme = onScreen;
  repaint();
});
window.addEventListener("beforeprint", () => {
  onScreen = root.dataset.theme;
  root.dataset.theme = "light";
  repaint();
  for (const one of document.querySelectorAll("details.print")) one.open = true;
});
tellTheme();
