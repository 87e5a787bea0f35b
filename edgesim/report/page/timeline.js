(function () {
  const canvas = document.getElementById("timeline-canvas");
  const held = pageData("timeline-data");
  if (!canvas || !held || !held.spans.length) return;
  const tip = document.getElementById("timeline-tip");
  const ROW = 24, FOOT = 26, HEAD = 4;
  const height = HEAD + held.tracks.length * ROW + FOOT;
  const [TRACK, LANE, KIND, REQUEST, TASK, START, LENGTH] = [0, 1, 2, 3, 4, 5, 6];
  const end = Math.max(...held.spans.map((one) => one[START] + one[LENGTH])) || 1e-9;
  const firstEnd = held.first || end;
  let from = 0, to = firstEnd, chosen = -1;

  function left() { return canvas.clientWidth >= 640 ? 150 : 90; }
  function at(time) {
    return left() + (time - from) / (to - from) * (canvas.clientWidth - left() - 4);
  }
  function timeAt(x) { return from + (x - left()) / (canvas.clientWidth - left() - 4) * (to - from); }

  function show(a, b) {
    const least = Math.max(end * 1e-9, 1e-9);
    const long = Math.min(Math.max(b - a, least), end * 1.02);
    from = Math.min(Math.max(a, -end * 0.01), end * 1.01 - long);
    to = from + long;
    paint();
  }
  function zoom(factor, middle) {
    show(middle - (middle - from) * factor, middle + (to - middle) * factor);
  }
  function move(share) { show(from + share * (to - from), to + share * (to - from)); }

  function box(one) {
    const lanes = held.lanes[one[TRACK]];
    const deep = (ROW - 6) / lanes;
    const x = Math.max(at(one[START]), left());
    const right = at(one[START] + one[LENGTH]);
    return { x, width: Math.max(right - x, 1), right,
      y: HEAD + one[TRACK] * ROW + 3 + one[LANE] * deep, height: Math.max(deep - 0.5, 0.8) };
  }

  function step(long) {
    const power = 10 ** Math.floor(Math.log10(long));
    return [1, 2, 5, 10].map((one) => one * power).find((one) => one >= long);
  }

  function paint() {
    const { context, width } = fitted(canvas, height);
    const ink = colour("ink"), dim = colour("dim"), line = colour("line");
    const kinds = held.kinds.map((kind) => colour(kind) || colour("queue"));
    context.lineWidth = 1;
    const every = step((to - from) / Math.max(2, Math.floor((width - left()) / 110)));
    const base = HEAD + held.tracks.length * ROW;
    context.textAlign = "center";
    const beyond = 10 ** Math.floor(Math.log10(every)) < (held.start + to) * 1e-3;
    for (let time = Math.ceil((held.start + from) / every) * every; time <= held.start + to;
      time += every) {
      const x = at(time - held.start);
      if (x < left()) continue;
      context.strokeStyle = line;
      context.beginPath();
      context.moveTo(x, HEAD);
      context.lineTo(x, base + 4);
      context.stroke();
      context.fillStyle = dim;
      // Close by, steps are counted from where the picture starts.
      const text = beyond ? "+" + duration(Number((time - held.start - from).toPrecision(3)))
        : duration(time);
      if (x > left() + 20 && x < width - 24) context.fillText(text, x, base + 15);
    }
    for (let index = 0; index < held.spans.length; index += 1) {
      const one = held.spans[index];
      if (one[START] > to) break;
      if (one[START] + one[LENGTH] < from) continue;
      const place = box(one);
      context.fillStyle = kinds[one[KIND]];
      context.fillRect(place.x, place.y, place.width, place.height);
      if (index === chosen) {
        context.strokeStyle = ink;
        context.lineWidth = 2;
        context.strokeRect(place.x - 1, place.y - 1, place.width + 2, place.height + 2);
        context.lineWidth = 1;
      }
    }
    context.textAlign = "left";
    const letters = canvas.clientWidth >= 640 ? 22 : 13;
    held.tracks.forEach(([title, link], number) => {
      context.fillStyle = link ? dim : ink;
      const short = title.length > letters ? title.slice(0, letters - 1) + "…" : title;
      context.fillText(short, 4, HEAD + number * ROW + ROW / 2);
      context.strokeStyle = line;
      context.beginPath();
      context.moveTo(0, HEAD + (number + 1) * ROW);
      context.lineTo(width, HEAD + (number + 1) * ROW);
      context.stroke();
    });
  }

  function tell(index) {
    chosen = index;
    const one = held.spans[index];
    tip.textContent = one ? "Request " + one[REQUEST] + ": " + held.tasks[one[TASK]] + ", "
      + held.kinds[one[KIND]] + ", from " + (held.start + one[START]).toFixed(6) + " s, "
      + duration(one[LENGTH]) : "";
    paint();
  }
  function under(x, y) {
    for (let index = held.spans.length - 1; index >= 0; index -= 1) {
      const one = held.spans[index];
      if (one[START] > to || one[START] + one[LENGTH] < from) continue;
      const place = box(one);
      if (x >= place.x - 2 && x <= place.x + place.width + 2 && y >= place.y
        && y <= place.y + place.height + 1) return index;
    }
    return -1;
  }

  const pointers = new Map();
  let dragged = 0;
  canvas.addEventListener("pointerdown", (event) => {
    canvas.setPointerCapture(event.pointerId);
    pointers.set(event.pointerId, event.offsetX);
    dragged = 0;
  });
  canvas.addEventListener("pointermove", (event) => {
    if (!pointers.has(event.pointerId)) {
      const found = under(event.offsetX, event.offsetY);
      if (found >= 0 && found !== chosen) tell(found);
      return;
    }
    const before = [...pointers.values()];
    const moved = event.offsetX - pointers.get(event.pointerId);
    pointers.set(event.pointerId, event.offsetX);
    dragged += Math.abs(moved);
    if (pointers.size === 1) {
      move(-moved / (canvas.clientWidth - left()));
    } else if (pointers.size === 2) {
      const after = [...pointers.values()];
      const middle = timeAt((after[0] + after[1]) / 2);
      const apart = Math.max(8, Math.abs(after[0] - after[1]));
      zoom(Math.max(8, Math.abs(before[0] - before[1])) / apart, middle);
    }
  });
  for (const kind of ["pointerup", "pointercancel"]) {
    canvas.addEventListener(kind, (event) => {
      pointers.delete(event.pointerId);
      if (kind === "pointerup" && dragged < 4) tell(under(event.offsetX, event.offsetY));
    });
  }
  canvas.addEventListener("wheel", (event) => {
    if (!event.ctrlKey && !event.metaKey) return;
    event.preventDefault();
    zoom(Math.exp(event.deltaY * 0.002), timeAt(event.offsetX));
  }, { passive: false });

  const middle = () => (from + to) / 2;
  const actions = {
    in: () => zoom(0.5, middle()), out: () => zoom(2, middle()),
    left: () => move(-0.25), right: () => move(0.25),
    all: () => show(-end * 0.01, end * 1.01), first: () => show(0, firstEnd),
  };
  const keys = { "+": "in", "=": "in", "-": "out", ArrowLeft: "left", ArrowRight: "right",
    Home: "all" };
  canvas.addEventListener("keydown", (event) => {
    const forward = event.key === "n" || event.key === "N";
    if (forward || event.key === "p" || event.key === "P") {
      const count = held.spans.length;
      tell((chosen + (forward ? 1 : count - (chosen < 0 ? 0 : 1))) % count);
      const one = held.spans[chosen];
      if (one[START] + one[LENGTH] < from || one[START] > to) {
        show(one[START] - (to - from) / 4, one[START] + (to - from) * 3 / 4);
      }
    } else if (keys[event.key]) {
      actions[keys[event.key]]();
    } else {
      return;
    }
    event.preventDefault();
  });
  for (const button of document.querySelectorAll("[data-do]")) {
    button.addEventListener("click", () => actions[button.dataset.do]());
  }
  onRepaint(paint);
})();
