/** Rows of the study, the filter over them, and the pieces that all views share. */
const study = pageData("filter-data");
const filters = new Map();
const views = [];
let shown = [];

/** A cell as people read it: a result in a unit that fits, an axis as the study has it. */
function cell(column, value) {
  if (value === null || value === undefined) return "-";
  if (column.labels) return column.labels[value];
  if (column.role === "result") return inUnit(value, column.unit);
  return digits(value) + (/^[/%]/.test(column.unit) || !column.unit ? "" : " ") + column.unit;
}

/** Values of an axis or a result that have a label: all where they are few. */
function marks(column, most) {
  if (column.labels) {
    const every = Math.ceil(column.labels.length / most);
    return column.labels.map((_, place) => place).filter((place) => place % every === 0);
  }
  const distinct = [...new Set(column.values.filter((one) => one !== null))];
  if (distinct.length <= most) return distinct.sort((a, b) => a - b);
  return ticks(...extent(column), column.log, most);
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

/** Set or remove the filter of a column, and show it in its fields. */
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
(function () {
  if (!study) return;
  const all = study.columns.map((_, index) => index);
  const numeric = all.filter((index) => !study.columns[index].labels);
  const axes = all.filter((index) => study.columns[index].role === "axis");
  // Whether a queue settled is marked on the points.
  const results = numeric.filter((index) => study.columns[index].role === "result"
    && study.columns[index].name !== "settled");
  // An axis may be an aim too: the fewest nodes.
  const aims = numeric.filter((index) => study.columns[index].aim);
  for (const index of axes) document.getElementById("filters").append(filterField(index));
  document.getElementById("clear").addEventListener("click", () => {
    filters.clear();
    for (const sync of fields) sync();
    refilter();
  });
  function view(paint) {
    views.push(paint);
    repaints.push(paint);
  }
  parallel();
  if (results.length) scatter();
  if (results.length && axes.length >= 2) heat();
  table();
  refilter();

  function parallel() {
    const canvas = document.getElementById("parallel-canvas");
    const columns = [...new Set([...axes, ...aims, ...results])].slice(0, 12);
    const by = choose("parallel-colour", columns, (aims[0] ?? results[0] ?? columns[0]), paint);
    const FOOT = 16, PITCH = 78, LINE = 13;
    let drag = null, HEAD = 40, side = 50;
    function lying() { return canvas.clientWidth < 640; }
    function height() { return lying() ? HEAD + (columns.length - 1) * PITCH + 36 : 400; }
    // On a narrow screen axes lie, one below the other, so that their names can be read.
    function spot(number, share) {
      if (lying()) return [12 + share * (canvas.clientWidth - 24), HEAD + number * PITCH];
      const step = (canvas.clientWidth - 2 * side) / Math.max(1, columns.length - 1);
      return [side + number * step, height() - FOOT - share * (height() - FOOT - HEAD - 14)];
    }
    /** Names of the columns as lines that fit between their neighbours. */
    function headings(context) {
      const apart = (canvas.clientWidth - 2 * side) / Math.max(1, columns.length - 1) - 8;
      return columns.map((index, number) => {
        const edge = number === 0 || number === columns.length - 1;
        return wrapped(context, study.columns[index].title, edge ? Math.min(apart, 2 * side - 4) : apart, 4);
      });
    }
    function paint() {
      const measured = canvas.getContext("2d");
      measured.font = "12px system-ui, sans-serif";
      const titles = lying() ? [] : headings(measured);
      HEAD = lying() ? 34 : 8 + LINE * Math.max(...titles.map((one) => one.length));
      const { context, width } = fitted(canvas, height());
      const main = study.columns[by()];
      const ink = colour("ink"), dim = colour("dim"), line = colour("line"), mark = colour("mark");
      const passing = new Set(shown);
      const order = [...study.point.keys()].filter((row) => !passing.has(row)).concat(shown);
      const many = Math.max(0.12, Math.min(0.8, 60 / Math.max(1, shown.length)));
      const least = isDark() ? 0.4 : 0, span = isDark() ? 0.6 : 0.8;
      for (const row of order) {
        const inside = passing.has(row);
        if (!inside && study.point.length > 600 && row % 4) continue;
        const share = place(main, main.values[row]) ?? 0;
        context.strokeStyle = inside ? ramp(least + span * share).css : line;
        context.globalAlpha = inside ? Math.max(many, 0.25) : 0.25;
        context.setLineDash(study.settled[row] ? [] : [4, 4]);
        context.beginPath();
        let pen = false;
        columns.forEach((index, number) => {
          const at = place(study.columns[index], study.columns[index].values[row]);
          if (at === null) { pen = false; return; }
          const [x, y] = spot(number, at);
          if (pen) context.lineTo(x, y); else context.moveTo(x, y);
          pen = true;
        });
        context.stroke();
      }
      context.setLineDash([]);
      context.globalAlpha = 1;
      columns.forEach((index, number) => {
        const column = study.columns[index];
        context.strokeStyle = dim;
        context.beginPath();
        context.moveTo(...spot(number, 0));
        context.lineTo(...spot(number, 1));
        context.stroke();
        const range = filters.get(index);
        if (range) {
          const [a, b] = range.map((value) => place(column,
            Math.min(Math.max(value, extent(column)[0]), extent(column)[1])));
          context.strokeStyle = mark;
          context.lineWidth = 5;
          context.beginPath();
          context.moveTo(...spot(number, a - 0.01));
          context.lineTo(...spot(number, b + 0.01));
          context.stroke();
          context.lineWidth = 1;
        }
        const values = marks(column, lying() ? 4 : 7);
        const texts = values.map((value) => [...spot(number, place(column, value)), cell(column, value)]);
        if (lying()) {
          const [x0, y0] = spot(number, 0);
          context.textAlign = "left";
          label(context, fit(context, column.title, width - 24), x0, y0 - 15, ink);
          for (const [x, y, text] of texts) {
            const room = (width - 24) / Math.max(1, texts.length);
            const short = fit(context, text, room - 4), half = context.measureText(short).width / 2;
            context.textAlign = "center";
            label(context, short, Math.min(Math.max(x, half + 4), width - half - 4), y + 13, dim);
          }
        } else {
          context.textAlign = "center";
          titles[number].forEach((text, row) => {
            label(context, text, spot(number, 0)[0], 8 + row * LINE, ink);
          });
          const apart = (width - 2 * side) / Math.max(1, columns.length - 1);
          const last = number === columns.length - 1 && number > 0;
          for (const [x, y, text] of texts) {
            context.textAlign = last ? "right" : "left";
            label(context, fit(context, text, apart - 12), x + (last ? -6 : 6), y, dim);
          }
        }
      });
    }
    function nearest(event) {
      let best = 0, least = Infinity;
      columns.forEach((_, number) => {
        const [x, y] = spot(number, 0);
        const apart = lying() ? Math.abs(event.offsetY - y) : Math.abs(event.offsetX - x);
        if (apart < least) { least = apart; best = number; }
      });
      return best;
    }
    function shareAt(event, number) {
      const [x0, y0] = spot(number, 0), [x1, y1] = spot(number, 1);
      const share = lying() ? (event.offsetX - x0) / (x1 - x0) : (event.offsetY - y0) / (y1 - y0);
      return Math.min(1, Math.max(0, share));
    }
    canvas.addEventListener("pointerdown", (event) => {
      const number = nearest(event);
      canvas.setPointerCapture(event.pointerId);
      drag = { number, from: shareAt(event, number) };
    });
    canvas.addEventListener("pointermove", (event) => {
      if (!drag) return;
      const to = shareAt(event, drag.number);
      if (Math.abs(to - drag.from) < 0.02) return;
      const index = columns[drag.number], column = study.columns[index];
      const ends = [drag.from, to].sort((a, b) => a - b).map((share) => valueAt(column, share));
      if (column.labels) { ends[0] = Math.ceil(ends[0] - 0.5); ends[1] = Math.floor(ends[1] + 0.5); }
      setFilter(index, ends);
    });
    for (const kind of ["pointerup", "pointercancel"]) {
      canvas.addEventListener(kind, () => { drag = null; });
    }
    canvas.addEventListener("dblclick", (event) => setFilter(columns[nearest(event)], null));
    view(paint);
  }

  /** Rows of the front of two columns, by the first; signs are -1 where large is better. */
  function paretoFront(rows, first, second, signs) {
    const known = rows.filter((row) => first.values[row] !== null && second.values[row] !== null);
    // What differs by the rounding of sums is the same.
    const cost = (which, column, row) => signs[which] * Number(column.values[row].toPrecision(9));
    known.sort((a, b) => cost(0, first, a) - cost(0, first, b)
      || cost(1, second, a) - cost(1, second, b));
    let least = Infinity;
    return known.filter((row) => {
      const value = cost(1, second, row);
      if (value >= least) return false;
      least = value;
      return true;
    });
  }

  function scatter() {
    const canvas = document.getElementById("front-canvas");
    const tip = document.getElementById("front-tip");
    const pick = aims.length > 1 ? aims : [...aims, ...results.filter((one) => !aims.includes(one))];
    const x = choose("front-x", numeric, pick[0], paint);
    const kind = (index) => study.columns[index].name.split(".")[0];
    // Two percentiles of one thing go together; two kinds of results may not.
    const other = aims.length > 1 ? pick[1] : pick.find((index) => kind(index) === "energy_j"
      && kind(pick[0]) !== "energy_j") ?? pick.find((index) => kind(index) !== kind(pick[0])) ?? pick[1] ?? pick[0];
    const y = choose("front-y", numeric, other, paint);
    const signs = ["front-x-aim", "front-y-aim"].map((id, which) => {
      const select = document.getElementById(id);
      const column = study.columns[which ? y() : x()];
      const large = column.aim === "maximize" || (!column.aim && /throughput|top1|speedup/.test(column.name));
      select.value = large ? "-1" : "1";
      select.addEventListener("change", paint);
      return () => Number(select.value);
    });
    const HEIGHT = 360, LEFT = 70;
    function spot(row) {
      const across = place(study.columns[x()], study.columns[x()].values[row]);
      const up = place(study.columns[y()], study.columns[y()].values[row]);
      if (across === null || up === null) return null;
      return [LEFT + across * (canvas.clientWidth - LEFT - 16), HEIGHT - 56 - up * (HEIGHT - 86)];
    }
    function paint() {
      const { context, width } = fitted(canvas, HEIGHT);
      const first = study.columns[x()], second = study.columns[y()];
      const allowed = shown.filter((row) => study.settled[row] && (!study.feasible || study.feasible[row]));
      const front = paretoFront(allowed, first, second, signs.map((one) => one()));
      const left = LEFT - 6, bottom = HEIGHT - 50;
      for (const value of ticks(...extent(second), second.log, 6)) {
        const y = HEIGHT - 56 - place(second, value) * (HEIGHT - 86);
        context.strokeStyle = colour("line");
        context.beginPath();
        context.moveTo(left, y);
        context.lineTo(width - 8, y);
        context.stroke();
        context.fillStyle = colour("dim");
        context.textAlign = "right";
        context.fillText(cell(second, value), left - 4, y);
      }
      let free = 0;
      for (const value of ticks(...extent(first), first.log, width < 640 ? 4 : 9)) {
        const x = LEFT + place(first, value) * (width - LEFT - 16), text = cell(first, value);
        context.strokeStyle = colour("line");
        context.beginPath();
        context.moveTo(x, 24);
        context.lineTo(x, bottom);
        context.stroke();
        const half = context.measureText(text).width / 2, centre = Math.min(x, width - half - 2);
        if (centre - half < free) continue;
        free = centre + half + 8;
        context.fillStyle = colour("dim");
        context.textAlign = "center";
        context.fillText(text, centre, HEIGHT - 38);
      }
      context.fillStyle = context.strokeStyle = colour("compute");
      context.globalAlpha = shown.length > 300 ? 0.45 : 0.8;
      for (const row of shown) {
        const at = spot(row);
        if (!at) continue;
        context.beginPath();
        context.arc(at[0], at[1], 3, 0, 7);
        if (study.settled[row]) context.fill(); else context.stroke();
      }
      context.globalAlpha = 1;
      context.strokeStyle = context.fillStyle = colour("mark");
      context.lineWidth = 2;
      context.beginPath();
      front.forEach((row, number) => {
        const at = spot(row);
        if (number) context.lineTo(...at); else context.moveTo(...at);
      });
      context.stroke();
      context.lineWidth = 1;
      for (const row of front) {
        const at = spot(row);
        context.beginPath();
        context.rect(at[0] - 4, at[1] - 4, 8, 8);
        context.fill();
      }
      context.fillStyle = colour("ink");
      context.textAlign = "left";
      context.fillText("↑ " + second.title, 8, 12);
      context.textAlign = "right";
      context.fillText(first.title + " →", width - 8, HEIGHT - 12);
      canvas.dataset.front = front.map((row) => study.point[row]).join(" ");
    }
    canvas.addEventListener("pointermove", (event) => {
      let best = -1, least = 400;
      for (const row of shown) {
        const at = spot(row);
        const apart = at ? (at[0] - event.offsetX) ** 2 + (at[1] - event.offsetY) ** 2 : Infinity;
        if (apart < least) { least = apart; best = row; }
      }
      tip.textContent = best < 0 ? "" : "Point " + study.point[best] + ": "
        + study.columns.map((one) => one.name + " " + cell(one, one.values[best])).join(", ");
    });
    view(paint);
  }

  function heat() {
    const canvas = document.getElementById("heat-canvas");
    const tip = document.getElementById("heat-tip");
    const x = choose("heat-x", axes, axes[0], paint);
    const y = choose("heat-y", axes, axes[1], paint);
    const z = choose("heat-z", results, results.find((one) => aims.includes(one)) ?? results[0], paint);
    const note = document.getElementById("heat-note");
    const HEIGHT = 400;
    let drawn = null;
    /** Mean and number of points of each cell by "x y", of the rows that the filter leaves. */
    function ofRows(across, up, result) {
      const sums = new Map();
      for (const row of shown) {
        const value = result.values[row], a = across.of[row], b = up.of[row];
        if (value === null || a < 0 || b < 0 || !study.settled[row]) continue;
        const [sum, count] = sums.get(a + " " + b) || [0, 0];
        sums.set(a + " " + b, [sum + value, count + 1]);
      }
      return new Map([...sums].map(([key, [sum, count]]) => [key, [sum / count, count]]));
    }
    /** The same of all rows of a study whose page holds only some; null where it has none. */
    function ofAll(first, second, result) {
      const held = study.means[Math.min(first, second) + " " + Math.max(first, second) + " " + result];
      if (!held) return null;
      const wide = study.columns[Math.min(first, second)].levels.names.length;
      const cells = new Map();
      held.mean.forEach((mean, place) => {
        const low = place % wide, high = Math.floor(place / wide);
        if (mean !== null) cells.set(first < second ? low + " " + high : high + " " + low, [mean, held.count[place]]);
      });
      return cells;
    }
    function paint() {
      const { context, width } = fitted(canvas, HEIGHT);
      const across = study.columns[x()].levels, up = study.columns[y()].levels;
      const result = study.columns[z()];
      const cells = study.means ? ofAll(x(), y(), z()) : ofRows(across, up, result);
      note.textContent = study.means ? cells
        ? "Mean of each cell over all " + study.all.toLocaleString("en")
          + " rows of the study; the filter, which knows only the rows of this page, does not apply."
        : "These axes have too many values for a page: choose others."
        : "Mean of each cell over the points that pass the filter.";
      if (study.settled.includes(0)) note.textContent += " Points whose queue did not settle are left out.";
      const means = [...(cells || new Map()).values()].map(([mean]) => mean);
      const low = Math.min(...means), high = Math.max(...means);
      const longest = Math.max(...up.names.map((one) => context.measureText(one).width));
      const left = Math.min(longest + 14, width * 0.38), top = 24, foot = 72;
      const wide = (width - left - 8) / across.names.length, deep = (HEIGHT - top - foot) / up.names.length;
      drawn = { left, top, wide, deep, across, up, cells, result };
      context.textAlign = "center";
      for (const [key, [mean]] of cells || []) {
        const [a, b] = key.split(" ").map(Number);
        const share = result.log && low > 0 ? Math.log(mean / low) / Math.log(high / low)
          : (mean - low) / (high - low);
        const tone = ramp(high > low ? share : 0.5);
        const px = left + a * wide, py = top + (up.names.length - 1 - b) * deep;
        context.fillStyle = tone.css;
        context.fillRect(px, py, wide - 1, deep - 1);
        const text = cell(result, mean);
        if (context.measureText(text).width < wide - 4 && deep > 13) {
          context.fillStyle = tone.dark ? "#ffffff" : "#000000";
          context.fillText(text, px + wide / 2, py + deep / 2);
        }
      }
      context.fillStyle = colour("dim");
      // Where names are wider than their columns, only every so many-th is written.
      const need = Math.max(...across.names.map((one) => Math.max(...one.split(/[-_. ]/)
        .map((part) => context.measureText(part + "-").width))));
      const every = Math.max(1, Math.ceil(Math.min(need, 60) / wide));
      for (let a = 0; a < across.names.length; a += every) {
        wrapped(context, across.names[a], every * wide - 4, 3).forEach((text, row) => {
          context.fillText(text, left + (a + 0.5) * wide, HEIGHT - foot + 12 + row * 13);
        });
      }
      context.textAlign = "right";
      for (let b = 0; b < up.names.length; b += 1) {
        context.fillText(fit(context, up.names[b], left - 10), left - 6,
          top + (up.names.length - 0.5 - b) * deep);
      }
      context.fillStyle = colour("ink");
      context.fillText(study.columns[x()].title + " →", width - 8, HEIGHT - 10);
      context.textAlign = "left";
      context.fillText(fit(context, "↑ " + study.columns[y()].title, width * 0.4), 4, 10);
      context.textAlign = "right";
      if (means.length) {
        const range = ": " + cell(result, low) + " to " + cell(result, high);
        const room = width * 0.56 - context.measureText(range).width;
        context.fillText(fit(context, result.title, room) + range, width - 8, 10);
      }
      canvas.dataset.cells = means.length;
    }
    canvas.addEventListener("pointermove", (event) => {
      const a = Math.floor((event.offsetX - drawn.left) / drawn.wide);
      const b = drawn.up.names.length - 1 - Math.floor((event.offsetY - drawn.top) / drawn.deep);
      const held = drawn.cells && drawn.cells.get(a + " " + b);
      tip.textContent = held ? study.columns[x()].title + " " + drawn.across.names[a] + ", "
        + study.columns[y()].title + " " + drawn.up.names[b] + ": " + cell(drawn.result, held[0])
        + ", mean of " + held[1].toLocaleString("en") + (held[1] === 1 ? " point" : " points") : "";
    });
    view(paint);
  }

  function table() {
    const place = document.querySelector("#points table");
    const caption = document.querySelector("#points figcaption");
    const more = document.getElementById("more-rows");
    let order = null, down = false, most = 25;
    const heads = [...place.querySelectorAll("thead th")];
    heads.forEach((head, number) => {
      const button = document.createElement("button");
      button.type = "button";
      button.append(...head.childNodes);
      head.replaceChildren(button);
      button.addEventListener("click", () => {
        down = order === number ? !down : false;
        order = number;
        for (const other of heads) other.removeAttribute("aria-sort");
        head.setAttribute("aria-sort", down ? "descending" : "ascending");
        paint();
      });
    });
    function key(row) {
      return order === 0 ? study.point[row] : study.columns[order - 1].values[row];
    }
    function paint() {
      const rows = [...shown];
      if (order !== null) {
        rows.sort((a, b) => {
          const one = key(a), other = key(b);
          // What is not known stands at the end.
          if (one === null || other === null) return (one === null) - (other === null);
          return down ? other - one : one - other;
        });
      }
      const body = document.createElement("tbody");
      for (const row of rows.slice(0, most)) {
        const line = body.insertRow();
        const head = document.createElement("th");
        head.scope = "row";
        head.textContent = study.point[row].toLocaleString("en") + (study.settled[row] ? "" : " *");
        line.append(head);
        for (const column of study.columns) {
          const value = column.values[row];
          const span = document.createElement("span");
          span.textContent = cell(column, value);
          span.dataset.key = study.point[row] + "." + column.name;
          span.dataset.value = JSON.stringify(column.labels && value !== null
            ? column.labels[value] : value);
          const inside = line.insertCell();
          if (column.labels) inside.className = "left";
          inside.append(span);
        }
      }
      place.tBodies[0].replaceWith(body);
      caption.textContent = Math.min(most, rows.length) + " of " + rows.length
        + " rows that pass the filter; a click on a heading sorts.";
      more.hidden = rows.length <= most;
    }
    more.addEventListener("click", () => { most += 100; paint(); });
    views.push(paint);
  }
})();
