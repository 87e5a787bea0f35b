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

const UNITS = {
  s: [[1, "s"], [1e-3, "ms"], [1e-6, "µs"], [1e-9, "ns"]],
  J: [[1e12, "TJ"], [1e9, "GJ"], [1e6, "MJ"], [1e3, "kJ"], [1, "J"], [1e-3, "mJ"], [1e-6, "µJ"],
    [1e-9, "nJ"]],
  B: [[2 ** 40, "TiB"], [2 ** 30, "GiB"], [2 ** 20, "MiB"], [2 ** 10, "KiB"], [1, "B"]],
};

/** A number of an SI unit as people read it. */
function inUnit(value, unit) {
  if (unit === "/s") return digits(value) + "/s";
  const units = UNITS[unit];
  if (!units) return digits(value);
  if (value === 0) return "0 " + unit;
  const [factor, name] = units.find(([one]) => Math.abs(value) >= one * 0.9995)
    || units[units.length - 1];
  return digits(value / factor) + " " + name;
}

function duration(seconds) {
  return inUnit(seconds, "s");
}

/** Round values of a scale: at most so many, at least its ends. */
function ticks(low, high, log, most) {
  if (!(high > low)) return [low];
  let found = [];
  if (log) {
    for (const factors of [[1, 2, 3, 5, 7], [1, 2, 5], [1, 3], [1]]) {
      found = [];
      for (let power = Math.floor(Math.log10(low)); power <= Math.ceil(Math.log10(high)); power += 1) {
        for (const factor of factors) found.push(Number((factor * 10 ** power).toPrecision(3)));
      }
      found = found.filter((one) => one >= low && one <= high);
      if (found.length <= most) break;
    }
    const every = Math.ceil(found.length / most);
    found = found.filter((_, number) => number % every === 0);
  }
  if (found.length < 3) {
    const power = 10 ** Math.floor(Math.log10((high - low) / most));
    const step = [1, 2, 5, 10, 20].map((one) => one * power)
      .find((one) => (high - low) / one <= most - 1);
    found = [];
    for (let number = Math.ceil(low / step - 1e-9); number * step <= high * (1 + 1e-9); number += 1) {
      found.push(Number((number * step).toPrecision(12)));
    }
  }
  return found.length > 1 ? found : [low, high];
}

/** A text of at most so many pixels; of a longer one the middle is left out. */
function fit(context, text, wide) {
  if (context.measureText(text).width <= wide) return text;
  for (let letters = text.length - 1; letters > 2; letters -= 1) {
    const tail = Math.floor((letters - 1) / 2);
    const short = text.slice(0, letters - 1 - tail) + "…" + text.slice(text.length - tail);
    if (context.measureText(short).width <= wide) return short;
  }
  return text.slice(0, 1) + "…";
}

/** A text as lines of at most so many pixels, broken after dots, underscores, hyphens and spaces. */
function wrapped(context, text, wide, most) {
  const lines = [""];
  for (const part of text.match(/[^._\- ]*[._\- ]?/g).filter(Boolean)) {
    const last = lines[lines.length - 1];
    if (last && context.measureText((last + part).trimEnd()).width > wide) lines.push(part);
    else lines[lines.length - 1] = last + part;
  }
  const few = lines.slice(0, most);
  if (lines.length > most) few[most - 1] = lines.slice(most - 1).join("");
  return few.map((line) => fit(context, line.trimEnd(), wide));
}

/** Write a text with the colour of the page around it, so that lines below do not cross it. */
function label(context, text, x, y, ink) {
  context.lineWidth = 4;
  context.lineJoin = "round";
  context.strokeStyle = colour("paper");
  context.strokeText(text, x, y);
  context.lineWidth = 1;
  context.fillStyle = ink;
  context.fillText(text, x, y);
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
