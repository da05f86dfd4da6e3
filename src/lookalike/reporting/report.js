"use strict";
(() => {
  // The map: zoom by wheel, pinch, buttons and keys; a point shows its picture when it is pointed at, tapped or walked to.
  const told = JSON.parse(document.getElementById("map-data").textContent);
  const plane = document.getElementById("plane");
  const section = document.getElementById("map");
  const column = document.getElementById("column");
  const card = section.querySelector(".card");
  const dots = [...plane.querySelectorAll("circle")];
  const radius = parseFloat(plane.style.getPropertyValue("--r"));
  const WHOLE = 1.06, EDGE = -0.03, DEEPEST = 40;
  const view = { x: EDGE, y: EDGE, wide: WHOLE };
  const ring = dots[0].cloneNode();
  let at = -1;

  const clamp = (value, low, high) => Math.min(Math.max(value, low), high);

  function draw() {
    view.wide = clamp(view.wide, WHOLE / DEEPEST, WHOLE);
    view.x = clamp(view.x, EDGE, EDGE + WHOLE - view.wide);
    view.y = clamp(view.y, EDGE, EDGE + WHOLE - view.wide);
    plane.setAttribute("viewBox", `${view.x} ${view.y} ${view.wide} ${view.wide}`);
    const share = view.wide / WHOLE;  // points grow a little on the way in, so that single ones can be hit
    plane.style.setProperty("--r", `${radius * Math.pow(share, 0.75)}px`);
    plane.classList.toggle("near", share < 1);
  }

  function zoom(factor, x, y) {
    const wide = clamp(view.wide / factor, WHOLE / DEEPEST, WHOLE);
    view.x = x - (x - view.x) * wide / view.wide;
    view.y = y - (y - view.y) * wide / view.wide;
    view.wide = wide;
    draw();
  }

  // Where on the map a place on the screen lies.
  function place(event) {
    const point = new DOMPoint(event.clientX, event.clientY).matrixTransform(plane.getScreenCTM().inverse());
    return [point.x, point.y];
  }

  // The point nearest to a place, where it is near enough for a finger.
  function nearest(x, y, reach) {
    let found = -1, least = reach * reach;
    told.points.forEach((one, number) => {
      const away = (one.x - x) ** 2 + (one.y - y) ** 2;
      if (away < least) { found = number; least = away; }
    });
    return found;
  }

  function entry(label, value) {
    const [name, text] = [document.createElement("dt"), document.createElement("dd")];
    name.textContent = `${label} `;
    text.textContent = value;
    return [name, text];
  }

  function show(number) {
    at = number;
    ring.toggleAttribute("hidden", number < 0);
    if (number < 0) { return; }
    const one = told.points[number];
    ring.setAttribute("cx", one.x);
    ring.setAttribute("cy", one.y);
    const thumb = card.querySelector(".thumb");
    thumb.style.backgroundPosition = `${-96 * (number % told.columns)}px ${-96 * Math.floor(number / told.columns)}px`;
    thumb.setAttribute("aria-label", one.image);
    const chosen = told.colorings[column.selectedIndex];
    const rows = [...one.told];
    if (!rows.some(([label]) => label === chosen.column)) {
      rows.push([chosen.column, chosen.legend[chosen.entry[number]][0]]);
    }
    card.querySelector("dl").replaceChildren(...rows.flatMap(([label, value]) => entry(label, value)));
    card.hidden = false;
  }

  function paint() {
    const chosen = told.colorings[column.selectedIndex];
    dots.forEach((dot, number) => dot.setAttribute("fill", chosen.legend[chosen.entry[number]][1]));
    section.querySelectorAll(".key").forEach((key, number) => { key.hidden = number !== column.selectedIndex; });
    plane.setAttribute("aria-label", `Map of ${told.points.length} pictures, colored by ${chosen.column}. Arrow keys walk, plus and minus zoom.`);
    show(at);
  }

  // The next point in a direction: not far, and not far off the way.
  function walk(right, down) {
    if (at < 0) { return show(nearest(view.x + view.wide / 2, view.y + view.wide / 2, 9)); }
    const from = told.points[at];
    let found = at, least = Infinity;
    told.points.forEach((one, number) => {
      const [x, y] = [one.x - from.x, one.y - from.y];
      const along = x * right + y * down, aside = Math.abs(x * down) + Math.abs(y * right);
      if (along > 1e-9 && aside <= along && along + 2 * aside < least) { found = number; least = along + 2 * aside; }
    });
    const to = told.points[found];
    if (to.x < view.x || to.x > view.x + view.wide) { view.x = to.x - view.wide / 2; }
    if (to.y < view.y || to.y > view.y + view.wide) { view.y = to.y - view.wide / 2; }
    draw();
    show(found);
  }

  const middle = () => [view.x + view.wide / 2, view.y + view.wide / 2];
  const KEYS = {
    ArrowLeft: () => walk(-1, 0), ArrowRight: () => walk(1, 0), ArrowUp: () => walk(0, -1), ArrowDown: () => walk(0, 1),
    "+": () => zoom(1.6, ...spot()), "=": () => zoom(1.6, ...spot()), "-": () => zoom(0.625, ...spot()),
    "0": () => zoom(0.001, ...middle()), Escape: () => show(-1),
  };
  const spot = () => (at < 0 ? middle() : [told.points[at].x, told.points[at].y]);

  plane.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || !KEYS[event.key]) { return; }
    event.preventDefault();
    KEYS[event.key]();
  });
  plane.addEventListener("wheel", (event) => {
    const whole = view.wide >= WHOLE - 1e-9;
    if (whole && event.deltaY > 0) { return; }  // nothing is further: the page scrolls on
    event.preventDefault();
    zoom(Math.exp(-clamp(event.deltaY, -120, 120) / 300), ...place(event));
  }, { passive: false });

  const fingers = new Map();
  let apart = 0, last = null;
  const both = () => {
    const [one, two] = [...fingers.values()];
    return { clientX: (one.clientX + two.clientX) / 2, clientY: (one.clientY + two.clientY) / 2,
      apart: Math.hypot(one.clientX - two.clientX, one.clientY - two.clientY) };
  };
  plane.addEventListener("pointerdown", (event) => {
    fingers.set(event.pointerId, event);
    last = place(event);
    if (fingers.size === 2) { apart = both().apart; }
    const found = nearest(...place(event), reach(event));
    if (found >= 0) { show(found); }
  });
  plane.addEventListener("pointermove", (event) => {
    if (!fingers.size) { return hover(event); }
    fingers.set(event.pointerId, event);
    if (fingers.size === 2) {
      const now = both();
      zoom(now.apart / Math.max(apart, 1), ...place(now));
      apart = now.apart;
    } else if (view.wide < WHOLE && last) {
      plane.setPointerCapture(event.pointerId);
      plane.classList.add("drags");
      const [x, y] = place(event);
      view.x += last[0] - x;
      view.y += last[1] - y;
      draw();
    }
  });
  // Two fingers are ours even where one would scroll the page.
  plane.addEventListener("touchmove", (event) => { if (event.touches.length > 1) { event.preventDefault(); } }, { passive: false });
  for (const name of ["pointerup", "pointercancel", "pointerleave"]) {
    plane.addEventListener(name, (event) => { fingers.delete(event.pointerId); plane.classList.remove("drags"); last = null; });
  }
  const reach = (event) => (event.pointerType === "touch" ? 24 : 9) / plane.clientWidth * view.wide;
  function hover(event) {
    const found = nearest(...place(event), reach(event));
    if (found >= 0 && found !== at) { show(found); }
  }

  section.querySelectorAll("[data-zoom]").forEach((button) => button.addEventListener("click", () => {
    zoom(Number(button.dataset.zoom) || 0.001, ...spot());
  }));
  column.addEventListener("change", paint);

  ring.setAttribute("class", "ring");
  ring.removeAttribute("fill");
  plane.append(ring);
  section.querySelectorAll(".tools, label, #column").forEach((one) => { one.hidden = false; });
  show(-1);
  paint();
  draw();
})();
