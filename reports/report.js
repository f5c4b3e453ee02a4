// The page reads well without this. It adds the theme, the filters, the map down to hosts, and the table of all checks.
// Which rows a view asks for is in report.rows.js.
(() => {
  "use strict";
  const $ = (id) => document.getElementById(id);
  // Text is only ever set as text: what comes from the network stays what it is.
  const make = (tag, attributes = {}, ...children) => {
    const made = document.createElement(tag);
    for (const [key, value] of Object.entries(attributes)) if (value !== undefined) made.setAttribute(key, value);
    made.append(...children);
    return made;
  };
  const number = (value) => value.toLocaleString("en-US");
  const several = (value, noun) => `${number(value)} ${noun}${value === 1 ? "" : "s"}`;
  document.documentElement.classList.add("scripted");

  // --- the theme: the system's, unless the reader says otherwise -----------------------------------------------------
  const THEMES = ["system", "light", "dark"];
  const remembered = (value) => {
    try {
      if (value !== undefined) localStorage.setItem("portcheck-theme", value);
      return localStorage.getItem("portcheck-theme");
    } catch {
      return value; // a browser may refuse to keep anything for a file
    }
  };
  const theme = $("theme");
  const wear = (name) => {
    if (name === "system") delete document.documentElement.dataset.theme;
    else document.documentElement.dataset.theme = name;
    theme.textContent = `Theme: ${name}`;
    theme.value = name;
  };
  theme.addEventListener("click", () => {
    const next = THEMES[(THEMES.indexOf(theme.value) + 1) % THEMES.length];
    remembered(next);
    wear(next);
  });
  const worn = remembered();
  wear(THEMES.includes(worn) ? worn : "system");

  // --- the view: filters, level of the map, page of the table and place in the page, all in the fragment -------------
  const FILTERS = ["text", "from", "to", "host", "port", "verdict", "cause", "finding", "check"];
  const VIEW = [...FILTERS, "map", "page", "at"];
  const parse = (hash) => {
    const said = hash.replace(/^#/, "");
    if (!said.includes("=")) return { at: said };
    const given = new URLSearchParams(said);
    return Object.fromEntries(VIEW.filter((key) => given.get(key)).map((key) => [key, given.get(key)]));
  };
  const fragment = (view) => {
    const said = VIEW.filter((key) => view[key]).map((key) => [key, view[key]]);
    return said.length === 1 && said[0][0] === "at" ? `#${view.at}` : `#${new URLSearchParams(said)}`;
  };
  const filtered = () => FILTERS.some((key) => view[key]);
  let view = parse(location.hash);
  let show = () => {}; // what draws the rows, once they are read

  const go = (next, { typed = false } = {}) => {
    const before = view;
    view = next;
    history[typed ? "replaceState" : "pushState"](null, "", fragment(view));
    show(before);
    arrive();
  };
  addEventListener("popstate", () => {
    const before = view;
    view = parse(location.hash);
    show(before);
    arrive();
  });

  // A place in the page: opened if it is closed, brought into view, and where the keyboard goes on.
  const arrive = () => {
    document.querySelector(".at")?.classList.remove("at");
    const place = view.at && $(view.at);
    if (!place) return;
    if (filtered() && place.closest("[hidden]")) return go({ at: view.at });
    for (let one = place; one; one = one.parentElement) if (one.tagName === "DETAILS") one.open = true;
    place.classList.add("at");
    place.scrollIntoView();
    const target = place.querySelector(":scope > summary") ?? place;
    if (target === place) place.tabIndex = -1;
    target.focus({ preventScroll: true });
  };

  for (const place of document.querySelectorAll("[data-go]")) {
    if (place.tagName === "A") place.href = `#${place.dataset.go}`;
    else place.replaceChildren(make("a", { href: `#${place.dataset.go}` }, ...place.childNodes));
  }
  document.addEventListener("click", (event) => {
    const link = event.target.closest("a[href^='#']");
    if (link && !event.ctrlKey && !event.metaKey && !event.shiftKey) {
      event.preventDefault();
      const next = parse(link.getAttribute("href"));
      // A place in the page keeps the filters.
      const keeps = Object.keys(next).length === 1 && "at" in next;
      return go(keeps ? { ...view, ...next } : next);
    }
    const copy = event.target.closest("[data-copy]");
    if (copy) copied(copy, `${location.href.split("#")[0]}#${copy.dataset.copy}`);
  });
  const copied = async (button, text) => {
    try {
      await navigator.clipboard.writeText(text);
    } catch {
      // Without a secure context there is only the old way.
      const area = make("textarea");
      area.value = text;
      document.body.append(area);
      area.select();
      document.execCommand("copy");
      area.remove();
    }
    const before = button.textContent;
    button.textContent = "Copied";
    setTimeout(() => { button.textContent = before; }, 1500);
    say("Link copied");
  };
  const say = (text) => { $("said").textContent = text; };

  // On paper nothing can be opened.
  let closed = [];
  addEventListener("beforeprint", () => {
    closed = [...document.querySelectorAll("details.finding:not([open]), .finding details:not([open])")];
    for (const one of closed) one.open = true;
  });
  addEventListener("afterprint", () => {
    for (const one of closed) one.open = false;
  });

  if (!$("data")) return arrive();

  // --- the rows, each answer in the place where it is read -----------------------------------------------------------
  const start = (data) => {
    const { texts, stories, ids, source, target, address, finding, kinds, roles, hosts, named } = data;
    const collator = new Intl.Collator("en", { numeric: true });
    const total = data.kind.length;
    const weights = [...document.querySelectorAll("[data-weight]")].map((one) => ({ key: one.dataset.weight,
      symbol: one.querySelector("i").textContent, word: one.querySelector("span").textContent }));
    const rank = Object.fromEntries(weights.map((one, at) => [one.key, at]));

    $("names").append(...[...[...roles].sort(collator.compare), ...[...hosts].map(named).sort(collator.compare)]
      .slice(0, 2000).map((name) => make("option", { value: name })));

    let rows = [];

    // --- findings: those with none of the rows go, the others say how many they have ---------------------------------
    const cards = data.findings.map((anchor) => $(anchor));
    const sizes = new Array(cards.length).fill(0);
    for (const place of finding) if (place >= 0) sizes[place] += 1;
    const tell = () => {
      const left = new Array(cards.length).fill(0);
      for (const row of rows) if (finding[row] >= 0) left[finding[row]] += 1;
      let shown = 0;
      cards.forEach((card, at) => {
        shown += left[at] > 0;
        if (!card) return;
        card.hidden = left[at] === 0;
        const part = left[at] < sizes[at] ? `${number(left[at])} of ${several(sizes[at], "check")}` : several(sizes[at], "check");
        card.querySelector(".number").textContent = part;
      });
      for (const section of document.querySelectorAll(".findings")) section.hidden = !section.querySelector(".finding:not([hidden])");
      $("found").textContent = filtered()
        ? `${number(rows.length)} of ${several(total, "check")}, ${number(shown)} of ${several(cards.length, "finding")}`
        : `${several(total, "check")}, ${several(cards.length, "finding")}`;
    };

    // --- the map: roles, or hosts ------------------------------------------------------------------------------------
    const WIDEST = { role: 60, host: 100 };
    let describe = () => {};
    for (const event of ["mouseover", "focusin"]) $("map").addEventListener(event, ({ target: link }) => link.closest("td > a") && describe(link));
    const draw = () => {
      const level = view.map === "hosts" ? "host" : "role";
      const [down, across] = level === "host" ? [(row) => source[row], (row) => target[row]]
        : [(row) => kinds[data.kind[row]].from, (row) => kinds[data.kind[row]].to];
      const cells = new Map();
      for (const row of rows) {
        const key = down(row) * texts.length + across(row);
        let cell = cells.get(key);
        if (!cell) cells.set(key, cell = new Array(weights.length).fill(0));
        cell[rank[kinds[data.kind[row]].weight]] += 1;
      }
      const worst = (cell) => cell.findIndex((count) => count > 0);
      const line = (end) => {
        const best = new Map();
        for (const [key, cell] of cells) {
          const place = end(key);
          best.set(place, Math.min(best.get(place) ?? weights.length, worst(cell)));
        }
        // The worst stay where there is no room for all.
        const places = [...best.keys()].sort((a, b) => best.get(a) - best.get(b) || collator.compare(texts[a], texts[b]));
        const left = places.slice(0, WIDEST[level]).sort((a, b) => collator.compare(texts[a], texts[b]));
        return [left, places.length - left.length];
      };
      const [froms, fewer] = line((key) => Math.floor(key / texts.length));
      const [tos, less] = line((key) => key % texts.length);
      // Ten thousand cells are made in a moment if each is a copy, and says what it is when it is asked.
      const dense = tos.length > 24;
      const { page, from: _, to: __, ...rest } = view;
      const base = fragment({ ...rest, at: level === "host" ? "checks" : "roles", map: "hosts" });
      const coded = (place) => encodeURIComponent(level === "host" ? named(texts[place]) : texts[place]);
      const ends = tos.map((to) => `&to=${coded(to)}`);
      const blank = make("td", {}, make("a", { tabindex: -1 }));
      const empty = make("td", { class: "nothing" }, "·");
      const body = make("tbody");
      for (const from of froms) {
        const tr = make("tr", {}, make("th", { scope: "row" }, make("bdi", {}, texts[from])));
        const beginning = `${base}&from=${coded(from)}`;
        tos.forEach((to, at) => {
          const cell = cells.get(from * texts.length + to);
          const td = (cell ? blank : empty).cloneNode(true);
          if (cell) {
            const { key, symbol } = weights[worst(cell)];
            td.className = key;
            td.firstChild.href = beginning + ends[at];
            td.firstChild.textContent = dense ? symbol : `${symbol} ${number(cell[worst(cell)])}`;
          }
          tr.append(td);
        });
        body.append(tr);
      }
      describe = (link) => {
        const from = froms[link.closest("tr").sectionRowIndex];
        const to = tos[link.parentElement.cellIndex - 1];
        const words = cells.get(from * texts.length + to).flatMap((count, at) => (count ? [weights[at].key === "deviation" ? several(count, "deviation") : `${number(count)} ${weights[at].word}`] : []));
        link.title = `${texts[from]} → ${texts[to]}: ${words.join(", ")}`;
        if (dense) $("place").textContent = link.title;
      };
      const head = make("tr", {}, make("td", { class: "corner" }, make("span", {}, "from ↓ to →")),
        ...tos.map((to) => make("th", { scope: "col" }, make("span", {}, texts[to]))));
      const hidden = make("caption", { class: "hidden" }, `Worst outcome for each pair of source ${level} and target ${level}`);
      $("map").replaceChildren(hidden, make("thead", {}, head), body);
      $("map").classList.toggle("dense", dense);
      $("map").querySelector("tbody a")?.setAttribute("tabindex", 0);
      $("by-role").setAttribute("aria-pressed", level === "role");
      $("by-host").setAttribute("aria-pressed", level === "host");
      const where = [view.from && `from ${view.from}`, view.to && `to ${view.to}`].filter(Boolean).join(" ");
      const missing = fewer + less ? `${several(fewer, "row")} and ${several(less, "column")} more, none worse than these: filter to see them` : "";
      $("place").textContent = [where, missing].filter(Boolean).join("; ");
    };
    $("by-role").addEventListener("click", () => go({ ...view, map: "", from: "", to: "", at: "" }));
    $("by-host").addEventListener("click", () => go({ ...view, map: "hosts", at: "" }));
    $("map").addEventListener("keydown", (event) => {
      const step = { ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [-1, 0], ArrowDown: [1, 0] }[event.key];
      const cell = event.target.closest("td");
      if (!step || !cell) return;
      event.preventDefault();
      const lines = $("map").tBodies[0].rows;
      let [down, across] = [cell.parentElement.sectionRowIndex, cell.cellIndex];
      do {
        down += step[0];
        across += step[1];
        const link = lines[down]?.cells[across]?.querySelector("a");
        if (link) {
          event.target.tabIndex = -1;
          link.tabIndex = 0;
          link.focus();
          return;
        }
      } while (lines[down]?.cells[across]);
    });

    // --- the table of all checks, a page at a time -------------------------------------------------------------------
    const PAGE = 100;
    const HEADS = ["Verdict", "From", "To", "Service", "Address and ports", "Expected"];
    const item = (label, ...what) => make("div", { class: "field" }, make("dt", {}, label), make("dd", {}, ...what));
    const rule = (kind) => `${kind.matrix} ${[kind.rule, kind.also].filter(Boolean).join(", ")}${kind.cite ? `, cites ${kind.cite}` : ""}`;
    const details = (row, kind) => {
      const list = make("dl", { class: "sight" });
      const [detail, where, advice, instead, waived, ...pieces] = data.told[row] ? stories[data.told[row] - 1].map((place) => texts[place]) : [];
      if (kind.cause) list.append(item("Cause", $(`cause-${kind.cause}`) ? make("a", { href: `#cause-${kind.cause}` }, kind.cause) : kind.cause));
      list.append(item("Seen", [kind.state, detail].filter(Boolean).join(": ") || "not measured"));
      if (where) list.append(item("Where", where));
      if (pieces.length) {
        const ends = make("div", { class: "ends" });
        for (const at of new Set(["source", "target", ...pieces.filter((_, place) => place % 2 === 0)])) {
          const seen = pieces.filter((_, place) => place % 2 && pieces[place - 1] === at);
          const who = { source: texts[source[row]], target: texts[target[row]] }[at];
          ends.append(make("div", { class: "end" }, make("b", {}, at, who ? " " : "", make("bdi", {}, who ?? "")),
            seen.length ? make("ul", {}, ...seen.map((what) => make("li", {}, make("bdi", {}, what))))
              : make("p", { class: "hint" }, "nothing was seen at this end")));
        }
        list.append(item("Evidence", ends));
      }
      list.append(item("Rule", rule(kind)));
      if (instead) list.append(item("Instead", instead));
      if (waived) list.append(item("Waived", waived));
      if (advice) list.append(item("What to do", advice));
      if (kind.verdict !== "pass" && !data.told[row]) list.append(item("Evidence", "left out for the size of this page: the JSON report has it"));
      const tools = make("p", { class: "tools" });
      if (finding[row] >= 0 && cards[finding[row]]) tools.append(make("a", { href: `#${data.findings[finding[row]]}` }, "Its finding"), " ");
      if (ids[row]) {
        tools.append(make("button", { type: "button", "data-copy": `check=${ids[row]}&at=checks` }, "Copy link"),
          make("span", { class: "hint" }, ` check ${ids[row]}`));
      }
      return make("tr", { class: "more" }, make("td", { colspan: HEADS.length }, list, tools));
    };
    const entry = (row) => {
      const kind = kinds[data.kind[row]];
      const button = make("button", { type: "button", class: `badge ${kind.weight}`, "aria-expanded": false },
        `${weights[rank[kind.weight]].symbol} ${kind.verdict}`);
      const worth = kind.policy !== "enforce" ? ` (${kind.policy})` : kind.need !== "required" ? ` (${kind.need})` : "";
      const cells = [[button, " ", make("span", { class: "why" }, kind.cause)], [make("bdi", {}, texts[source[row]])],
        [make("bdi", {}, source[row] === target[row] ? "itself" : texts[target[row]])], [kind.service],
        [`${texts[address[row]]} ${kind.transport} ${kind.ports.replaceAll(",", ", ")}`], [kind.expect + worth]];
      const line = make("tr", {}, ...cells.map((what, at) => make("td", { "data-head": HEADS[at] }, ...what)));
      let more = null;
      const toggle = () => {
        more ? more.remove() : line.after(more = details(row, kind));
        if (!more.isConnected) more = null;
        button.setAttribute("aria-expanded", more !== null);
      };
      button.addEventListener("click", toggle);
      return [line, toggle];
    };
    const turn = (label, page, last) => {
      const button = make("button", { type: "button" }, label);
      button.disabled = page < 1 || page > last;
      button.addEventListener("click", () => go({ ...view, page: page > 1 ? String(page) : "", at: "checks" }));
      return button;
    };
    const list = () => {
      const last = Math.max(1, Math.ceil(rows.length / PAGE));
      const page = Math.min(last, Math.max(1, Number(view.page) || 1));
      const shown = rows.slice((page - 1) * PAGE, page * PAGE);
      const body = make("tbody");
      for (const row of shown) {
        const [line, toggle] = entry(row);
        body.append(line);
        if (view.check) toggle();
      }
      const save = make("button", { type: "button", id: "csv" }, filtered() ? `CSV of these ${number(rows.length)}` : "CSV of all");
      save.disabled = !rows.length;
      save.addEventListener("click", download);
      const range = rows.length ? `${number((page - 1) * PAGE + 1)}–${number((page - 1) * PAGE + shown.length)} of ${number(rows.length)}` : "no check fits these filters";
      const pager = make("p", { class: "pager" }, make("span", {}, range), turn("Previous", page - 1, last), turn("Next", page + 1, last), save);
      const heads = make("tr", {}, ...HEADS.map((head) => make("th", { scope: "col" }, head)));
      const table = make("table", { class: "rows" }, make("caption", { class: "hidden" }, "Checks"), make("thead", {}, heads), body);
      $("table").replaceChildren(pager, make("div", { class: "scroll", tabindex: 0, role: "group", "aria-label": "Table of checks" }, table));
    };

    // The columns of the CSV report, less times; `place` is where it ends, in words. No cell becomes a formula, nor what
    // some spreadsheets would take for one behind a semicolon.
    const SAID = ["detail", "place", "advice", "instead", "waived", "evidence"];
    const COLUMNS = ["id", "matrix", "rule", "also", "cite", "source", "source_role", "target", "target_role", "address", "transport",
      "ports", "protocol", "application", "service", "expect", "policy", "need", "severity", "state", "verdict", "cause", "weight", ...SAID];
    const FORMULA = /(^|;)(?=\s*[=+\-@\t\r\n\uff1d\uff0b\uff0d\uff20])/g;
    const cell = (text) => `"${text.replace(FORMULA, "$1'").replaceAll('"', '""')}"`;
    const values = (row) => {
      const said = data.told[row] ? stories[data.told[row] - 1].map((place) => texts[place]) : [];
      const pieces = said.slice(5).map((text, at) => (at % 2 ? `${text}; ` : `${text}: `)).join("").replace(/; $/, "");
      const own = { id: ids[row], source: texts[source[row]], target: texts[target[row]], address: texts[address[row]], evidence: pieces };
      return COLUMNS.map((column) => (column in own ? own[column]
        : SAID.includes(column) ? said[SAID.indexOf(column)] ?? "" : kinds[data.kind[row]][column]));
    };
    const download = () => {
      const lines = [COLUMNS.join(","), ...rows.map((row) => values(row).map(cell).join(","))];
      const url = URL.createObjectURL(new Blob([`${lines.join("\r\n")}\r\n`], { type: "text/csv" }));
      make("a", { href: url, download: "portcheck.csv" }).click();
      setTimeout(() => URL.revokeObjectURL(url), 10_000);
      say(`${several(rows.length, "check")} as CSV`);
    };

    // --- the fields --------------------------------------------------------------------------------------------------
    const FIELDS = ["text", "from", "to", "host", "port", "verdict", "cause"];
    const NAMES = { text: "text", from: "from", to: "to", host: "either end", port: "port", verdict: "verdict", cause: "cause",
      finding: "finding", check: "check" };
    const title = (anchor) => $(anchor)?.querySelector("bdi").textContent ?? "that is not in this report";
    let waiting = 0;
    for (const key of FIELDS) {
      const change = (typed) => {
        clearTimeout(waiting);
        if ((view[key] ?? "") !== $(key).value) go({ ...view, [key]: $(key).value, page: "", at: "" }, { typed });
      };
      $(key).addEventListener("input", () => { clearTimeout(waiting); waiting = setTimeout(change, 120, true); });
      $(key).addEventListener("change", () => change(false));
    }
    $("clear").addEventListener("click", () => go({}));
    $("fields").addEventListener("click", () => {
      const open = $("filter").classList.toggle("open");
      $("fields").setAttribute("aria-expanded", open);
    });
    document.addEventListener("keydown", (event) => {
      const field = FIELDS.includes(event.target.id);
      if (event.key === "/" && !event.target.matches("input, select, textarea") && !event.ctrlKey && !event.metaKey) {
        event.preventDefault();
        $("text").focus();
        $("text").select();
      } else if (event.key === "Escape" && field && event.target.value) {
        event.preventDefault();
        event.target.value = "";
        event.target.dispatchEvent(new Event("change"));
      } else if (event.key === "Escape" && field) event.target.blur();
      else if (event.key === "Escape" && filtered()) go({});
    });

    show = (before) => {
      const same = (keys) => before && keys.every((key) => (before[key] ?? "") === (view[key] ?? ""));
      const asked = !same(FILTERS);
      for (const key of FIELDS) if ($(key).value !== (view[key] ?? "")) $(key).value = view[key] ?? "";
      $("clear").hidden = !filtered();
      // What has no field, or is behind the button, is said.
      const asking = FILTERS.filter((key) => view[key]);
      $("fields").textContent = asking.length ? `Filters (${asking.length})` : "Filters";
      $("asked").textContent = asking.map((key) => `${NAMES[key]} ${key === "finding" ? title(view[key]) : view[key]}`).join(" · ");
      document.documentElement.classList.toggle("filtered", filtered());
      if (asked) {
        rows = data.matching(view);
        tell();
      }
      if (asked || !same(["map"])) draw();
      if (asked || !same(["page"])) list();
    };
    show(null);
    arrive();
    performance.mark("ready");
    document.documentElement.classList.add("ready");
  };
  // After the first paint.
  requestAnimationFrame(() => setTimeout(() => Rows.read($("data")).then(start, (error) => {
    $("found").textContent = `The table of checks could not be read: ${error.message}. The JSON report has each check.`;
  })));
})();
