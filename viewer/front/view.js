/* Keys, and the desk on which an image lies. Every page can be read without it. */
"use strict";

const one = (selector, within = document) => within.querySelector(selector);
const all = (selector, within = document) => [...within.querySelectorAll(selector)];
const follow = (selector) => { const link = one(selector); if (link) link.click(); return Boolean(link); };

/* --- the image: how large, how turned, its boxes --- */
function makeDesk(scan) {
  const [desk, sizer, stage, image] = ["desk", "sizer", "stage", "image"].map((name) => one(`[data-${name}]`, scan));
  const boxes = one("[data-boxes]", scan), told = one("[data-scale]", scan);
  let turn = Number(scan.dataset.rotation) || 0, scale = 1, fit = "whole";

  const size = () => [image.naturalWidth || 1, image.naturalHeight || 1];
  const turned = () => { const [w, h] = size(); return turn % 180 ? [h, w] : [w, h]; };
  function fitted() {
    const style = getComputedStyle(desk), [w, h] = turned();
    const wide = desk.clientWidth - parseFloat(style.paddingLeft) - parseFloat(style.paddingRight);
    const high = desk.clientHeight - parseFloat(style.paddingTop) - parseFloat(style.paddingBottom);
    return fit === "whole" ? Math.min(wide / w, high / h) : wide / w;
  }
  function lay() {
    if (!image.naturalWidth) return;
    if (fit) scale = fitted();
    const [w, h] = size().map((side) => side * scale), [wide, high] = turned().map((side) => side * scale);
    sizer.classList.add("is-set");
    sizer.style.width = `${wide}px`; sizer.style.height = `${high}px`;
    stage.style.width = `${w}px`; stage.style.height = `${h}px`;
    const moves = { 0: "", 90: `translate(${h}px, 0)`, 180: `translate(${w}px, ${h}px)`, 270: `translate(0, ${w}px)` };
    stage.style.transform = `${moves[turn]} rotate(${turn}deg)`;
    told.textContent = `${Math.round(scale * 100)} %`;
  }
  function zoom(factor) {
    const before = [desk.scrollLeft + desk.clientWidth / 2, desk.scrollTop + desk.clientHeight / 2], was = scale;
    fit = ""; scale = Math.min(8, Math.max(0.05, scale * factor)); lay();
    desk.scrollLeft = before[0] * scale / was - desk.clientWidth / 2;
    desk.scrollTop = before[1] * scale / was - desk.clientHeight / 2;
  }
  const acts = {
    larger: () => zoom(1.25),
    smaller: () => zoom(0.8),
    fit: () => { fit = fit === "whole" ? "width" : "whole"; lay(); },
    right: () => { turn = (turn + 90) % 360; lay(); },
    left: () => { turn = (turn + 270) % 360; lay(); },
    boxes: () => {
      if (!boxes) return;
      const hide = !boxes.hasAttribute("hidden");
      boxes.toggleAttribute("hidden", hide);
      one("[data-do=boxes]", scan).setAttribute("aria-pressed", String(!hide));
    },
  };
  all("[data-do]", scan).forEach((button) => button.addEventListener("click", () => acts[button.dataset.do]()));
  image.addEventListener("load", lay);
  new ResizeObserver(() => { if (fit) lay(); }).observe(desk);
  lay();

  let held = null;
  desk.addEventListener("pointerdown", (event) => {
    if (event.button || event.target.closest(".box")) return;
    held = [event.clientX + desk.scrollLeft, event.clientY + desk.scrollTop];
    desk.classList.add("is-held");
  });
  addEventListener("pointermove", (event) => {
    if (!held) return;
    desk.scrollLeft = held[0] - event.clientX; desk.scrollTop = held[1] - event.clientY;
  });
  addEventListener("pointerup", () => { held = null; desk.classList.remove("is-held"); });
  desk.addEventListener("wheel", (event) => {
    if (!event.ctrlKey) return;
    event.preventDefault(); zoom(event.deltaY < 0 ? 1.1 : 0.9);
  }, { passive: false });

  /* What is pointed at in the text is lit on the image, and the other way round. */
  const blocks = (number) => all(`[data-block="${number}"]`);
  all("[data-boxes] [data-block]", scan).forEach((box) => {
    blocks(box.dataset.block).forEach((each) => each.classList.add("has-box"));
    box.addEventListener("click", () => {
      const text = blocks(box.dataset.block).find((each) => each !== box);
      if (text) text.scrollIntoView({ block: "center", behavior: "smooth" });
    });
  });
  for (const [kind, lit] of [["pointerover", true], ["pointerout", false]]) {
    document.addEventListener(kind, (event) => {
      const block = event.target.closest && event.target.closest("[data-block]");
      if (block) blocks(block.dataset.block).forEach((each) => each.classList.toggle("is-lit", lit));
    });
  }
  return acts;
}

/* --- lists: one of them is chosen by keys --- */
function makeList(list) {
  const items = all("tbody tr, li", list).filter((each) => one("[data-open]", each));
  let chosen = -1;
  return {
    move(step) {
      if (!items.length) return;
      if (chosen >= 0) items[chosen].classList.remove("is-chosen");
      chosen = Math.min(items.length - 1, Math.max(0, chosen + step));
      items[chosen].classList.add("is-chosen");
      items[chosen].scrollIntoView({ block: "nearest" });
    },
    open() { if (chosen >= 0) one("[data-open]", items[chosen]).click(); return chosen >= 0; },
  };
}

/* --- the form of a correction --- */
function makeForm(form) {
  let changed = Boolean(one(".trouble")), number = 0;
  form.addEventListener("input", () => { changed = true; });
  form.addEventListener("submit", () => { changed = false; });
  addEventListener("beforeunload", (event) => { if (changed) event.preventDefault(); });
  addEventListener("keydown", (event) => { if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) { event.preventDefault(); form.requestSubmit(); } });
  all("[data-add]", form).forEach((button) => button.addEventListener("click", () => {
    const template = one(":scope > template", button.parentElement), item = template.content.cloneNode(true), place = `new${number++}`;
    all("[name]", item).forEach((input) => {
      input.name = input.name.replace(/\/NEW(?=\/|$)/, `/${place}`);
      if (input.name.startsWith("k:")) input.value = place;
    });
    const added = item.firstElementChild;
    button.before(item);
    const field = one("textarea, input:not([type=hidden])", added);
    if (field) field.focus();
    changed = true;
  }));
}

document.addEventListener("DOMContentLoaded", () => {
  const scan = one("[data-scan]"), list = one("[data-list]"), help = one("dialog.help");
  const image = scan ? makeDesk(scan) : null, choice = list ? makeList(list) : null;
  const tabs = all("[data-tabs] > input");
  const kept = (() => { try { return sessionStorage.getItem("quire-tab"); } catch { return null; } })();
  tabs.forEach((tab) => {
    if (tab.id === kept) tab.checked = true;
    tab.addEventListener("change", () => { try { sessionStorage.setItem("quire-tab", tab.id); } catch { /* it is only a comfort */ } });
  });
  all("[data-help]").forEach((button) => button.addEventListener("click", () => help.showModal()));

  const next = () => image ? follow("a[rel=next]") : choice && choice.move(1);
  const before = () => image ? follow("a[rel=prev]") : choice && choice.move(-1);
  const keys = {
    j: next, k: before,
    ArrowRight: () => image ? next() : follow("a[rel=next]"),
    ArrowLeft: () => image ? before() : follow("a[rel=prev]"),
    Enter: () => choice && choice.open(),
    u: () => follow("[data-up]"),
    h: () => follow(".brand"),
    "/": () => { const field = one("#words") || one("#q"); if (field) { field.focus(); field.select(); } },
    "?": () => help.open ? help.close() : help.showModal(),
    z: () => image && image.fit(), "+": () => image && image.larger(), "=": () => image && image.larger(),
    "-": () => image && image.smaller(), r: () => image && image.right(), R: () => image && image.left(),
    b: () => image && image.boxes(),
    e: () => follow("[data-edit]"),
    c: () => { const form = one("[data-check]"); if (form) form.requestSubmit(); return Boolean(form); },
  };
  const form = one("[data-form]");
  if (form) makeForm(form);
  tabs.forEach((tab, at) => { keys[String(at + 1)] = () => { tab.checked = true; tab.dispatchEvent(new Event("change")); }; });
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const typing = event.target.closest("input:not([type=radio]), select, textarea");
    if (event.key.startsWith("Arrow") && event.target.closest("input[type=radio]")) return;
    if (event.key === "Escape" && typing) { typing.blur(); return; }
    if (typing || (event.key === "Enter" && event.target.closest("a, button"))) return;
    if (event.key.startsWith("Arrow") && event.target.closest("[data-desk]") && one("[data-desk]").scrollWidth > one("[data-desk]").clientWidth) return;
    const act = keys[event.key];
    if (act && act() !== false) event.preventDefault();
  });
});

/* --- the search of a copy in files: all text is in a script beside it --- */
const folded = (text) => text.normalize("NFD").replace(/\p{M}/gu, "").toLowerCase();

function searchCopy(form) {
  const field = one("#words", form), hits = one("[data-hits]"), told = one("[data-count]"), most = 100;
  const shown = (text) => text.replace(/[\p{Cc}\p{Cf}\p{Co}\p{Cs}]/gu, (each) => "\n\t\u200c\u200d".includes(each) ? each : `[U+${each.codePointAt(0).toString(16).toUpperCase().padStart(4, "0")}]`);
  let texts = null;

  /* A stretch of the text around the first word, with all of them marked. Letters are folded one by one, so that each
     keeps its place. */
  function excerpt(text, wanted) {
    const letters = [...text.replace(/\s+/g, " ")], plain = letters.map((each) => folded(each).slice(0, 1) || "\u0000").join("");
    const first = Math.min(...wanted.map((term) => plain.indexOf(term)).filter((at) => at >= 0), letters.length);
    const begin = first === letters.length ? 0 : Math.max(0, first - 90), end = Math.min(letters.length, begin + 280);
    const marks = new Array(letters.length).fill(false);
    for (const term of wanted) for (let at = plain.indexOf(term, begin); at >= 0 && at < end; at = plain.indexOf(term, at + 1)) marks.fill(true, at, at + term.length);
    const parts = [];
    for (let at = begin, from = begin; at < end; at += 1) {
      if (at + 1 < end && marks[at + 1] === marks[from]) continue;
      const part = document.createElement(marks[from] ? "mark" : "span");
      part.textContent = shown(letters.slice(from, at + 1).join(""));
      parts.push(part); from = at + 1;
    }
    return [begin ? "… " : "", ...parts, end < letters.length ? " …" : ""];
  }

  function look() {
    texts = texts || (window.quireText || []).map(([number, key, text]) => [number, key, text, folded(text)]);
    const terms = [...field.value.matchAll(/(-?)(?:"([^"]*)"?|(\S+))/g)].map(([, minus, phrase, word]) => [minus, folded(phrase || word || "").replace(/\*$/, "")]).filter(([, term]) => term);
    const wanted = terms.filter(([minus]) => !minus).map(([, term]) => term), unwanted = terms.filter(([minus]) => minus).map(([, term]) => term);
    hits.replaceChildren();
    if (!wanted.length) return;
    const found = texts.filter(([, , , text]) => wanted.every((term) => text.includes(term)) && !unwanted.some((term) => text.includes(term)));
    told.textContent = found.length ? `${found.length.toLocaleString("en")} ${found.length === 1 ? "page" : "pages"}${found.length > most ? `, of which the first ${most} are shown` : ""}` : "Nothing is found.";
    for (const [number, key, text] of found.slice(0, most)) {
      const item = document.createElement("li"), thumb = document.createElement("a"), image = document.createElement("img"), right = document.createElement("div");
      const head = document.createElement("p"), link = document.createElement("a"), name = document.createElement("bdi"), snippet = document.createElement("p");
      thumb.className = "thumb"; thumb.href = link.href = `pages/${number}.html`; thumb.tabIndex = -1;
      image.loading = "lazy"; image.alt = ""; image.src = `small/${number}.jpg`; image.onerror = () => image.remove();
      head.className = "hit-head"; snippet.className = "snippet"; snippet.dir = "auto"; link.dataset.open = "";
      name.textContent = shown(key);
      snippet.append(...excerpt(text, wanted));
      thumb.append(image); link.append(name); head.append(link); right.append(head, snippet); item.append(thumb, right); hits.append(item);
    }
  }
  form.addEventListener("submit", (event) => { event.preventDefault(); look(); });
  field.value = new URLSearchParams(location.search).get("q") || "";
  look();
}

document.addEventListener("DOMContentLoaded", () => { const form = one("[data-search]"); if (form) searchCopy(form); });
