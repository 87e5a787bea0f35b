(function () {
  if (!study) return;
  const all = study.columns.map((_, index) => index);
  const numeric = all.filter((index) => !study.columns[index].labels);
  const axes = all.filter((index) => study.columns[index].role === "axis");
  const results = numeric.filter((index) => study.columns[index].role === "result");
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
  function clipped(context, text, wide) {
    let short = text;
    while (short.length > 3 && context.measureText(short).width > wide) {
      short = short.slice(0, -2) + "…";
    }
    return short;
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
    const HEAD = 40, FOOT = 24;
    let drag = null;
    function upright() { return canvas.clientWidth < 640; }
    function height() { return upright() ? HEAD + (columns.length - 1) * 62 + FOOT : 380; }
    // On a narrow screen axes lie, one below the other, so that their names can be read.
    function spot(number, share) {
      if (upright()) return [12 + share * (canvas.clientWidth - 24), HEAD + number * 62];
      const step = (canvas.clientWidth - 100) / Math.max(1, columns.length - 1);
      return [50 + number * step, height() - FOOT - share * (height() - FOOT - HEAD - 14)];
    }
    function paint() {
      const { context } = fitted(canvas, height());
      const main = study.columns[by()];
      const ink = colour("ink"), dim = colour("dim"), line = colour("line"), mark = colour("mark");
      const passing = new Set(shown);
      const order = [...study.point.keys()].filter((row) => !passing.has(row)).concat(shown);
      const many = Math.max(0.12, Math.min(0.8, 60 / Math.max(1, shown.length)));
      for (const row of order) {
        const inside = passing.has(row);
        if (!inside && study.point.length > 600 && row % 4) continue;
        context.strokeStyle = inside ? ramp((isDark() ? 0.4 : 0) + (isDark() ? 0.6 : 0.8) * (place(main, main.values[row]) ?? 0)).css : line;
        context.globalAlpha = inside ? Math.max(many, 0.25) : 0.25;
        context.beginPath();
        let pen = false;
        columns.forEach((index, number) => {
          const share = place(study.columns[index], study.columns[index].values[row]);
          if (share === null) { pen = false; return; }
          const [x, y] = spot(number, share);
          if (pen) context.lineTo(x, y); else context.moveTo(x, y);
          pen = true;
        });
        context.stroke();
      }
      context.globalAlpha = 1;
      columns.forEach((index, number) => {
        const column = study.columns[index];
        const [x0, y0] = spot(number, 0), [x1, y1] = spot(number, 1);
        context.strokeStyle = dim;
        context.beginPath();
        context.moveTo(x0, y0);
        context.lineTo(x1, y1);
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
        const [low, high] = extent(column).map((value) => cell(column, value));
        context.fillStyle = ink;
        if (upright()) {
          context.textAlign = "left";
          context.fillText(column.title, 12, y0 - 26);
          context.fillStyle = dim;
          context.fillText(low, 12, y0 - 11);
          context.textAlign = "right";
          context.fillText(high, x1, y0 - 11);
        } else {
          const edge = number === 0 || number === columns.length - 1;
          const apart = (canvas.clientWidth - 100) / Math.max(1, columns.length - 1) - 6;
          const wide = edge ? Math.min(apart, 96) : apart;
          context.textAlign = "center";
          const parts = column.title.match(/[^._]*[._]?/g).filter(Boolean);
          const lines = [""];
          for (const part of parts) {
            const last = lines[lines.length - 1];
            if (last && context.measureText(last + part).width > wide) lines.push(part);
            else lines[lines.length - 1] = last + part;
          }
          lines.slice(0, 3).forEach((text, row) => {
            context.fillText(clipped(context, text, wide), x0, 8 + row * 13);
          });
          context.fillStyle = dim;
          context.fillText(clipped(context, low, Math.max(wide, 50)), x0, height() - 8);
          context.fillText(clipped(context, high, Math.max(wide, 50)), x0, HEAD + 6);
        }
      });
    }
    function nearest(event) {
      let best = 0, least = Infinity;
      columns.forEach((_, number) => {
        const [x, y] = spot(number, 0);
        const apart = upright() ? Math.abs(event.offsetY - y) : Math.abs(event.offsetX - x);
        if (apart < least) { least = apart; best = number; }
      });
      return best;
    }
    function shareAt(event, number) {
      const [x0, y0] = spot(number, 0), [x1, y1] = spot(number, 1);
      const share = upright() ? (event.offsetX - x0) / (x1 - x0) : (event.offsetY - y0) / (y1 - y0);
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
      const allowed = study.feasible ? shown.filter((row) => study.feasible[row]) : shown;
      const front = paretoFront(allowed, first, second, signs.map((one) => one()));
      context.fillStyle = colour("compute");
      context.globalAlpha = shown.length > 300 ? 0.45 : 0.8;
      for (const row of shown) {
        const at = spot(row);
        if (!at) continue;
        context.beginPath();
        context.arc(at[0], at[1], 3, 0, 7);
        context.fill();
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
      const [lowX, highX] = extent(first), [lowY, highY] = extent(second);
      context.fillText("↑ " + second.title, 8, 12);
      context.textAlign = "right";
      context.fillText(first.title + " →", width - 8, HEIGHT - 8);
      context.fillStyle = colour("dim");
      context.fillText(cell(second, highY), LEFT - 8, 30);
      context.fillText(cell(second, lowY), LEFT - 8, HEIGHT - 56);
      context.textAlign = "left";
      context.fillText(cell(first, lowX), LEFT, HEIGHT - 32);
      context.textAlign = "right";
      context.fillText(cell(first, highX), width - 8, HEIGHT - 32);
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
    const HEIGHT = 380;
    let drawn = null;
    /** Levels of an axis: its values where they are few, else ten equal parts. */
    function levels(column) {
      const distinct = [...new Set(column.values.filter((one) => one !== null))].sort((a, b) => a - b);
      if (column.labels || distinct.length <= 16) {
        const places = new Map(distinct.map((value, number) => [value, number]));
        return { count: distinct.length, at: (value) => places.get(value),
          name: (number) => cell(column, distinct[number]) };
      }
      return { count: 10, at: (value) => Math.min(9, Math.floor(place(column, value) * 10)),
        name: (number) => cell(column, valueAt(column, number / 10)) + " …" };
    }
    function paint() {
      const { context, width } = fitted(canvas, HEIGHT);
      const across = levels(study.columns[x()]), up = levels(study.columns[y()]);
      const result = study.columns[z()];
      const sums = new Map();
      for (const row of shown) {
        const value = result.values[row];
        const a = study.columns[x()].values[row], b = study.columns[y()].values[row];
        if (value === null || a === null || b === null) continue;
        const key = across.at(a) + " " + up.at(b);
        const held = sums.get(key) || [0, 0];
        sums.set(key, [held[0] + value, held[1] + 1]);
      }
      const means = [...sums.values()].map(([sum, count]) => sum / count);
      const low = Math.min(...means), high = Math.max(...means);
      const left = canvas.clientWidth < 640 ? 80 : 130, top = 24;
      const wide = (width - left - 8) / across.count, deep = (HEIGHT - top - 42) / up.count;
      drawn = { left, top, wide, deep, across, up, sums, result };
      context.textAlign = "center";
      for (const [key, [sum, count]] of sums) {
        const [a, b] = key.split(" ").map(Number);
        const mean = sum / count;
        const share = result.log && low > 0 ? Math.log(mean / low) / Math.log(high / low)
          : (mean - low) / (high - low);
        const tone = ramp(high > low ? share : 0.5);
        const px = left + a * wide, py = top + (up.count - 1 - b) * deep;
        context.fillStyle = tone.css;
        context.fillRect(px, py, wide - 1, deep - 1);
        const text = cell(result, mean);
        if (context.measureText(text).width < wide - 4 && deep > 13) {
          context.fillStyle = tone.dark ? "#ffffff" : "#000000";
          context.fillText(text, px + wide / 2, py + deep / 2);
        }
      }
      context.fillStyle = colour("dim");
      for (let a = 0; a < across.count; a += 1) {
        context.fillText(clipped(context, across.name(a), wide), left + (a + 0.5) * wide, HEIGHT - 28);
      }
      context.textAlign = "right";
      for (let b = 0; b < up.count; b += 1) {
        context.fillText(clipped(context, up.name(b), left - 8), left - 6,
          top + (up.count - 0.5 - b) * deep);
      }
      context.fillStyle = colour("ink");
      context.fillText(study.columns[x()].title + " →", width - 8, HEIGHT - 8);
      context.textAlign = "left";
      context.fillText(clipped(context, "↑ " + study.columns[y()].title, width / 2), 4, 10);
      context.textAlign = "right";
      if (means.length) {
        context.fillText(clipped(context, result.title, width / 3) + ": " + cell(result, low) + " to "
          + cell(result, high), width - 8, 10);
      }
      canvas.dataset.cells = sums.size;
    }
    canvas.addEventListener("pointermove", (event) => {
      const a = Math.floor((event.offsetX - drawn.left) / drawn.wide);
      const b = drawn.up.count - 1 - Math.floor((event.offsetY - drawn.top) / drawn.deep);
      const held = drawn.sums.get(a + " " + b);
      tip.textContent = held ? study.columns[x()].title + " " + drawn.across.name(a) + ", "
        + study.columns[y()].title + " " + drawn.up.name(b) + ": " + cell(drawn.result,
        held[0] / held[1]) + ", mean of " + held[1] + (held[1] === 1 ? " point" : " points") : "";
    });
    view(paint);
  }

  function table() {
    const place = document.querySelector("#points-table table");
    const more = document.getElementById("more-rows");
    let order = null, down = false, most = 25;
    const heads = [...place.querySelectorAll("thead th")];
    heads.forEach((head, number) => {
      const button = document.createElement("button");
      button.type = "button";
      button.textContent = head.textContent.replace(/[._]/g, "$&\u200b");
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
        head.textContent = study.point[row];
        line.append(head);
        for (const column of study.columns) {
          const value = column.values[row];
          const span = document.createElement("span");
          span.textContent = cell(column, value);
          span.dataset.key = study.point[row] + "." + column.name;
          span.dataset.value = JSON.stringify(column.labels && value !== null
            ? column.labels[value] : value);
          line.insertCell().append(span);
        }
      }
      place.tBodies[0].replaceWith(body);
      place.caption.textContent = Math.min(most, rows.length) + " of " + rows.length
        + " rows that pass the filter; a click on a heading sorts.";
      more.hidden = rows.length <= most;
    }
    more.addEventListener("click", () => { most += 100; paint(); });
    views.push(paint);
  }
})();
