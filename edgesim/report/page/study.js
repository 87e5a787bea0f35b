/** Rows of the study, the filter over them, and the pieces that all views share. */
const study = pageData("study-data");
const filters = new Map();
const views = [];
let shown = [];

/** A cell as people read it. */
function cell(column, value) {
  if (value === null || value === undefined) return "-";
  if (column.labels) return column.labels[value];
  return column.role === "result" && column.unit === "s" ? duration(value) : digits(value);
}

/** The least and the greatest known value of a column; [0, 1] where there is none. */
function extent(column) {
  if (column.extent) return column.extent;
  let low = Infinity, high = -Infinity;
  for (const value of column.values) {
    if (value === null) continue;
    if (value < low) low = value;
    if (value > high) high = value;
  }
  column.extent = low <= high ? [low, high] : [0, 1];
  return column.extent;
}

/** Place of a value between 0 and 1; null where there is none. */
function place(column, value) {
  if (value === null) return null;
  const [low, high] = extent(column);
  if (high === low) return 0.5;
  return column.log && low > 0 ? Math.log(value / low) / Math.log(high / low)
    : (value - low) / (high - low);
}

/** The value at a place between 0 and 1. */
function valueAt(column, share) {
  const [low, high] = extent(column);
  return column.log && low > 0 ? low * (high / low) ** share : low + share * (high - low);
}

/** Colours of cividis (Nunez, Anderton, Renslow 2018), which people with any colour vision rank. */
const CIVIDIS = [[0, 34, 78], [46, 63, 110], [87, 92, 109], [124, 123, 120], [166, 157, 117],
  [212, 194, 94], [254, 232, 56]];

function ramp(share) {
  const at = Math.min(Math.max(share, 0), 1) * (CIVIDIS.length - 1);
  const low = Math.min(Math.floor(at), CIVIDIS.length - 2);
  const mixed = CIVIDIS[low].map((one, part) =>
    Math.round(one + (CIVIDIS[low + 1][part] - one) * (at - low)));
  return { css: "rgb(" + mixed.join(",") + ")", dark: mixed[1] < 128 };
}

function passes(row) {
  for (const [column, [low, high]] of filters) {
    const value = study.columns[column].values[row];
    if (value === null || value < low || value > high) return false;
  }
  return true;
}

function refilter() {
  shown = [];
  for (let row = 0; row < study.point.length; row += 1) if (passes(row)) shown.push(row);
  document.getElementById("count").textContent = shown.length.toLocaleString("en") + " of "
    + study.point.length.toLocaleString("en") + " rows of this page pass the filter.";
  for (const view of views) view();
}

/** Fill a select with columns; call changed when another is chosen. */
function choose(id, columns, first, changed) {
  const select = document.getElementById(id);
  for (const index of columns) {
    const option = document.createElement("option");
    option.value = index;
    option.textContent = study.columns[index].title;
    select.append(option);
  }
  select.value = first;
  select.addEventListener("change", changed);
  return () => Number(select.value);
}

/** Set or free the filter of a column, and show it in its fields. */
function setFilter(index, range) {
  if (range) filters.set(index, range); else filters.delete(index);
  for (const sync of fields) sync();
  refilter();
}

const fields = [];

function labelled(text, ...inside) {
  const label = document.createElement("label");
  label.append(text, ...inside);
  return label;
}

function filterField(index) {
  const column = study.columns[index];
  const distinct = [...new Set(column.values.filter((one) => one !== null))].sort((a, b) => a - b);
  if (distinct.length <= 30) {
    const select = document.createElement("select");
    select.dataset.filter = column.name;
    select.append(new Option("all", ""));
    for (const value of distinct) select.append(new Option(cell(column, value), value));
    select.addEventListener("change", () => setFilter(index,
      select.value === "" ? null : [Number(select.value), Number(select.value)]));
    fields.push(() => {
      const range = filters.get(index);
      select.value = range && range[0] === range[1] ? range[0] : "";
    });
    return labelled(column.title, select);
  }
  const ends = [0, 1].map((which) => {
    const input = document.createElement("input");
    input.type = "number";
    input.step = "any";
    input.size = 8;
    input.style.width = "8.5rem";
    input.placeholder = String(Number(extent(column)[which].toPrecision(4)));
    input.setAttribute("aria-label", column.title + (which ? " at most" : " at least"));
    return input;
  });
  for (const input of ends) {
    input.addEventListener("change", () => {
      const [low, high] = ends.map((one) => one.value === "" ? null : Number(one.value));
      setFilter(index, low === null && high === null ? null
        : [low === null ? -Infinity : low, high === null ? Infinity : high]);
    });
  }
  fields.push(() => {
    const range = filters.get(index);
    ends.forEach((input, which) => {
      input.value = range && Number.isFinite(range[which]) ? Number(range[which].toPrecision(6)) : "";
    });
  });
  const both = document.createElement("span");
  both.append(ends[0], " to ", ends[1]);
  return labelled(column.title, both);
}
