// The pages read well without this: it turns times into the reader's own, and follows a run under way.
(() => {
  "use strict";
  // The theme is the system's, unless the reader says otherwise; the reports remember it by the same name.
  const THEMES = ["system", "light", "dark"];
  const remembered = (value) => {
    try {
      if (value !== undefined) localStorage.setItem("portcheck-theme", value);
      return localStorage.getItem("portcheck-theme");
    } catch {
      return value; // a browser may refuse to keep anything
    }
  };
  const theme = document.getElementById("theme");
  const wear = (name) => {
    if (name === "system") delete document.documentElement.dataset.theme;
    else document.documentElement.dataset.theme = name;
    theme.textContent = `Theme: ${name}`;
    theme.value = name;
  };
  theme.hidden = false;
  theme.addEventListener("click", () => {
    wear(THEMES[(THEMES.indexOf(theme.value) + 1) % THEMES.length]);
    remembered(theme.value);
  });
  const worn = remembered();
  wear(THEMES.includes(worn) ? worn : "system");

  const own = (time) => {
    const moment = new Date(time.dateTime);
    if (Number.isNaN(moment.getTime()) || time.title) return;
    time.title = time.textContent;
    time.textContent = moment.toLocaleString(undefined, { dateStyle: "medium", timeStyle: "short" });
  };
  document.querySelectorAll("time").forEach(own);

  // Where in a page a link leads never comes to the server: a login must not forget it.
  const to = document.getElementById("to"), on = document.getElementById("go-on");
  if (to && !to.value.includes("#")) to.value += location.hash;
  if (on) location.replace(on.href + location.hash);

  const live = document.getElementById("live");
  if (!live || !("follow" in live.dataset)) return;
  const part = (name) => document.getElementById(`live-${name}`);
  const number = (value) => value.toLocaleString("en");
  const tick = () => {
    const began = Date.parse(part("time").dataset.started);
    if (Number.isNaN(began)) return;
    const seconds = Math.max(0, Math.floor((Date.now() - began) / 1000));
    const minutes = Math.floor(seconds / 60), hours = Math.floor(minutes / 60);
    part("time").textContent = hours ? `${hours} h ${minutes % 60} min` : minutes ? `${minutes} min ${seconds % 60} s` : `${seconds} s`;
  };
  const clock = setInterval(tick, 1000);
  tick();

  const head = (words) => {
    part("title").textContent = words;
    document.title = `${live.dataset.audit}: ${words[0].toLowerCase()}${words.slice(1)} · portcheck`;
  };
  const show = (state) => {
    const running = state.done !== null;
    part("run").hidden = !running;
    head(running ? "A run is under way" : live.dataset.idle);
    if (!running) return;
    document.querySelectorAll(".notice, main > form").forEach((one) => one.remove());
    part("end").textContent = "";
    part("bar").max = state.total || 1;
    if (state.total) part("bar").value = state.done; else part("bar").removeAttribute("value");
    part("done").textContent = number(state.done);
    part("total").textContent = state.total ? number(state.total) : "–";
    part("failing").textContent = number(state.failing);
    part("failing").parentElement.classList.toggle("zero", !state.failing);
    part("words").textContent = state.words;
    part("time").dataset.started = state.started;
  };
  const end = (told) => {
    clearInterval(clock);
    head("The run has ended");
    part("run").hidden = true; // how far it came is no news any more
    const link = document.createElement("a");
    link.href = told.to;
    link.className = told.tone;
    link.textContent = told.said;
    part("end").replaceChildren(link);
  };
  const source = new EventSource(live.dataset.events);
  source.addEventListener("state", (event) => show(JSON.parse(event.data)));
  source.addEventListener("ended", (event) => { source.close(); end(JSON.parse(event.data)); });
  // What was refused, such as by a session that is over, is not asked again by the browser: the page may know why.
  source.addEventListener("error", () => { if (source.readyState === EventSource.CLOSED) setTimeout(() => location.reload(), 15000); });
  // A page that is left must not hold one of the few connections that a browser has for a place.
  addEventListener("pagehide", () => source.close());
})();
