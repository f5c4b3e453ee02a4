// Reads well without this: it only adds a filter over the checks by host.
(() => {
  "use strict";
  const place = document.getElementById("filter");
  if (!place) return;
  const label = document.createElement("label");
  label.textContent = "Show only ";
  const text = document.createElement("input");
  text.type = "search";
  text.placeholder = "host, service, port, verdict";
  label.append(text);
  const failing = document.createElement("label");
  const box = document.createElement("input");
  box.type = "checkbox";
  failing.append(box, " without passes");
  const found = document.createElement("output");
  place.append(label, failing, found);

  // One pair is one entry; its text is read once, when it is first needed.
  let pairs = null;
  const read = () => Array.from(document.querySelectorAll("details.pair"), (pair) => ({
    pair, source: pair.parentElement, passes: pair.dataset.worst === "pass",
    text: (pair.parentElement.querySelector("summary b").textContent + " " + pair.textContent).toLowerCase(),
  }));
  const apply = () => {
    pairs ??= read();
    const words = text.value.toLowerCase().split(/\s+/).filter(Boolean);
    const sources = new Map();
    let shown = 0;
    for (const one of pairs) {
      const fits = !(box.checked && one.passes) && words.every((word) => one.text.includes(word));
      one.pair.hidden = !fits;
      shown += fits;
      sources.set(one.source, sources.get(one.source) || fits);
    }
    const narrowed = words.length > 0 || box.checked;
    for (const [source, any] of sources) {
      source.hidden = !any;
      source.open = narrowed && any && shown <= 200;
    }
    found.textContent = narrowed ? `${shown} of ${pairs.length} pairs of hosts` : "";
  };
  let waiting = 0;
  const soon = () => { clearTimeout(waiting); waiting = setTimeout(apply, 150); };
  text.addEventListener("input", soon);
  box.addEventListener("change", soon);
})();
