// The packed rows of the report, and which of them a view asks for. Knows nothing of the page. probe/report/packed.py
// packs them.
const Rows = (() => {
  "use strict";

  const ranges = (text) => text.split(",").map((part) => part.trim().match(/^(\d+)(?:-(\d+))?$/)).filter(Boolean)
    .map(([, low, high]) => [Number(low), Number(high ?? low)]);

  // From the element: JSON, or base64 of its zlib stream.
  const read = async (node) => {
    if (node.type === "application/json") return open(JSON.parse(node.textContent));
    const packed = atob(node.textContent);
    const bytes = new Uint8Array(packed.length);
    for (let at = 0; at < packed.length; at += 1) bytes[at] = packed.charCodeAt(at);
    const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate"));
    return open(JSON.parse(await new Response(stream).text()));
  };

  const open = (data) => {
    const { texts, stories, ids, source, target, address, finding } = data;
    const [from, to] = ["source_role", "target_role"].map((field) => data.fields.indexOf(field));
    const kinds = data.kinds.map((places) => {
      const kind = Object.fromEntries(data.fields.map((field, at) => [field, texts[places[at]]]));
      return { ...kind, places, from: places[from], to: places[to], spans: ranges(kind.ports) };
    });
    const roles = new Set(kinds.flatMap((kind) => [kind.source_role, kind.target_role]));
    const hosts = new Set([...new Set([...source, ...target])].map((place) => texts[place]));
    const lowered = texts.map((text) => text.toLowerCase());

    // Each question is put once to each kind and each text; then only numbers are looked up.
    const ofKind = (question) => {
      const fits = kinds.map(question);
      return (row) => fits[data.kind[row]];
    };
    // The role of that name, else the host, else whatever has these letters.
    const end = (asked) => {
      const host = asked.startsWith("host:") ? asked.slice(5) : asked;
      const low = asked.toLowerCase();
      const none = () => false;
      const has = (place) => lowered[place].includes(low);
      const [role, name] = roles.has(asked) ? [(place) => texts[place] === asked, none]
        : hosts.has(host) ? [none, (place) => texts[place] === host] : [has, has];
      const byName = texts.map((_, place) => name(place));
      const [byFrom, byTo] = [ofKind((kind) => role(kind.from)), ofKind((kind) => role(kind.to))];
      return { from: (row) => byFrom(row) || byName[source[row]], to: (row) => byTo(row) || byName[target[row]] };
    };
    const search = (word) => {
      const hit = lowered.map((text) => text.includes(word));
      const kind = ofKind((one) => one.places.some((place) => hit[place]));
      const said = stories.map((places) => places.some((place) => hit[place]));
      return (row) => kind(row) || hit[source[row]] || hit[target[row]] || hit[address[row]]
        || (data.told[row] > 0 && said[data.told[row] - 1]);
    };
    const questions = (view) => {
      const asked = [];
      if (view.port) {
        const wanted = ranges(view.port);
        asked.push(ofKind((kind) => wanted.some(([low, high]) => kind.spans.some(([a, b]) => a <= high && low <= b))));
      }
      if (view.cause) asked.push(ofKind((kind) => kind.cause === view.cause));
      if (view.verdict === "failing") asked.push(ofKind((kind) => kind.verdict !== "pass"));
      else if (view.verdict) {
        const field = ["deviation", "advice", "waived"].includes(view.verdict) ? "weight" : "verdict";
        asked.push(ofKind((kind) => kind[field] === view.verdict));
      }
      if (view.from) asked.push(end(view.from).from);
      if (view.to) asked.push(end(view.to).to);
      if (view.host) {
        const either = end(view.host);
        asked.push((row) => either.from(row) || either.to(row));
      }
      if (view.finding) {
        const place = data.findings.indexOf(view.finding);
        asked.push((row) => finding[row] === place);
      }
      if (view.check) asked.push((row) => ids[row] === view.check);
      for (const word of (view.text ?? "").toLowerCase().split(/\s+/).filter(Boolean)) asked.push(search(word));
      return asked;
    };
    const matching = (view) => {
      const asked = questions(view);
      const found = [];
      for (let row = 0; row < ids.length; row += 1) if (asked.every((fits) => fits(row))) found.push(row);
      return found;
    };
    // A host that is called as a role is, has "host:" before it.
    const named = (host) => (roles.has(host) ? `host:${host}` : host);
    return { ...data, kinds, roles, hosts, named, matching };
  };

  return { read };
})();
