"use strict";
// Strings from media and file names are always set as text, never as HTML.
(() => {
  const data = JSON.parse(document.getElementById("report-data").textContent);
  const { columns, names } = data;
  const numRows = columns.uri.length;
  const ROW_PX = 28;
  const SPARE_ROWS = 8;
  const MAX_PRINTED = 1000;
  const SVG = "http://www.w3.org/2000/svg";
  const itemAt = new Map(data.items.map((item, at) => [item.media_id, at]));
  const byId = (id) => document.getElementById(id);

  const percent = (value) => (value === null ? "" : `${(100 * value).toFixed(1)} %`);
  const seconds = (value) => (value === null ? "" : `${value.toFixed(1)} s`);
  // A likelihood ratio that is as high, or as low, as the detector states any.
  const BOUNDS = { "-1": "at most ", "0": "", "1": "at least " };
  const ratio = (row) => {
    const value = columns.likelihood_ratio[row];
    return value === null ? "" : `${BOUNDS[columns.bound[row]]}${value.toLocaleString("en", { maximumSignificantDigits: 2 })}`;
  };
  const named = (column, row) => names[column][columns[column][row]];
  const itemOf = (row) => itemAt.get(columns.media_id[row]);

  function make(tag, text, attributes = {}) {
    const element = document.createElement(tag);
    if (text !== null && text !== undefined) element.textContent = text;
    for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
    return element;
  }

  function draw(tag, attributes, text) {
    const element = document.createElementNS(SVG, tag);
    for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
    if (text !== undefined) element.textContent = text;
    return element;
  }

  function verdictWords(row) {
    const name = named("verdict", row);
    return data.words[name] ?? name;
  }

  const hasVoices = names.verdict_voice !== undefined;

  function voiceWords(row) {
    if (!hasVoices) return "";
    const name = named("verdict_voice", row);
    return `${data.words[name] ?? name} ${percent(columns.prob_fake_voice[row])}`.trim();
  }

  const hasLips = names.verdict_sync !== undefined;
  const hasFiles = names.verdict_file !== undefined;

  function lipsWords(row) {
    if (!hasLips) return "";
    const name = named("verdict_sync", row);
    return `${data.words[name] ?? name} ${percent(columns.prob_mismatch[row])}`.trim();
  }

  function fileWords(row) {
    if (!hasFiles) return "";
    const name = named("verdict_file", row);
    return `${data.words[name] ?? name} ${percent(columns.prob_fake_file[row])}`.trim();
  }

  // --- the table -------------------------------------------------------------------------------

  const HEADS = [
    { key: "evidence", label: "●", title: "evidence", text: (r) => (itemOf(r) === undefined ? "" : "●"), value: (r) => (itemOf(r) === undefined ? 0 : 1) },
    ...(hasFiles ? [{ key: "verdict_file", label: "file", title: "verdict of all answers", text: fileWords, value: (r) => columns.prob_fake_file[r], isNumber: true }] : []),
    { key: "verdict", label: hasFiles ? "faces" : "verdict", text: (r) => verdictWords(r), value: (r) => columns.verdict[r] },
    { key: "prob_fake", label: "prob_fake", text: (r) => percent(columns.prob_fake[r]), value: (r) => columns.prob_fake[r], isNumber: true },
    { key: "likelihood_ratio", label: "likelihood ratio", text: ratio, value: (r) => columns.likelihood_ratio[r], isNumber: true },
    ...(hasVoices ? [{ key: "verdict_voice", label: "voice", title: "probability of spoofed speech", text: voiceWords, value: (r) => columns.prob_fake_voice[r], isNumber: true }] : []),
    ...(hasLips ? [{ key: "verdict_sync", label: "lips", title: "probability of a mismatch of lips and sound", text: lipsWords, value: (r) => columns.prob_mismatch[r], isNumber: true }] : []),
    { key: "uri", label: hasFiles ? "name" : "file", text: (r) => columns.uri[r].slice(data.folder.length), value: (r) => columns.uri[r] },
    { key: "status", label: "status", text: (r) => named("status", r), value: (r) => columns.status[r] },
    { key: "kind", label: "kind", text: (r) => named("kind", r), value: (r) => columns.kind[r] },
    { key: "num_faces", label: "faces", title: "faces looked at, over all frames", text: (r) => columns.num_faces[r] ?? "", value: (r) => columns.num_faces[r], isNumber: true },
    { key: "strongest_pts_seconds", label: "strongest", text: (r) => (named("kind", r) === "video" ? seconds(columns.strongest_pts_seconds[r]) : ""), value: (r) => columns.strongest_pts_seconds[r], isNumber: true },
    { key: "reason", label: "reason", text: (r) => named("reason", r), value: (r) => columns.reason[r] },
  ];

  let searched = null; // lower-case names and reasons, made at the first search
  let order = null; // all rows, as sorted
  let shown = []; // those that pass the filters, as sorted
  let active = 0;
  let sort = { key: "prob_fake", isDescending: true };
  let isPrinting = false;
  const body = byId("grid-body");
  const space = byId("grid-space");
  const rendered = new Map();

  function sortRows() {
    const head = HEADS.find((column) => column.key === sort.key);
    const values = Array.from({ length: numRows }, (_, row) => head.value(row));
    const sign = sort.isDescending ? -1 : 1;
    order = Uint32Array.from(values.keys()).sort((a, b) => {
      const x = values[a], y = values[b];
      if (x === y) return a - b;
      // Unknown values come last in either direction.
      if (x === null) return 1;
      if (y === null) return -1;
      return (x < y ? -1 : 1) * sign;
    });
    for (const cell of byId("grid-head").children) {
      const isSorted = cell.dataset.key === sort.key;
      cell.setAttribute("aria-sort", isSorted ? (sort.isDescending ? "descending" : "ascending") : "none");
      cell.querySelector(".arrow").textContent = isSorted ? (sort.isDescending ? " ▼" : " ▲") : "";
    }
  }

  function filterRows() {
    const text = byId("filter-text").value.trim().toLowerCase();
    const verdict = byId("filter-verdict").value;
    const status = byId("filter-status").value;
    const least = byId("filter-prob").value === "" ? null : Number(byId("filter-prob").value) / 100;
    const hasEvidence = byId("filter-evidence").checked;
    const wanted = {
      verdict: verdict === "" ? -1 : names.verdict.indexOf(verdict),
      status: status === "" ? -1 : names.status.indexOf(status),
    };
    if (text !== "" && searched === null) {
      const lower = (column) => names[column].map((reason) => reason.toLowerCase());
      const reasons = lower("reason"), ofVoices = hasVoices ? lower("reason_voice") : [], ofLips = hasLips ? lower("reason_sync") : [];
      searched = columns.uri.map((uri, row) => `${uri.toLowerCase()}\n${reasons[columns.reason[row]]}\n${hasVoices ? ofVoices[columns.reason_voice[row]] : ""}\n${hasLips ? ofLips[columns.reason_sync[row]] : ""}`);
    }
    const passes = (row) =>
      (wanted.verdict < 0 || columns.verdict[row] === wanted.verdict) &&
      (wanted.status < 0 || columns.status[row] === wanted.status) &&
      (least === null || (columns.prob_fake[row] !== null && columns.prob_fake[row] >= least)) &&
      (!hasEvidence || itemOf(row) !== undefined) &&
      (text === "" || searched[row].includes(text));
    shown = order.filter(passes);
    active = 0;
    body.scrollTop = 0;
    space.style.height = `${shown.length * ROW_PX}px`;
    byId("grid").setAttribute("aria-rowcount", String(shown.length + 1));
    byId("count").textContent = `${shown.length} of ${numRows} files`;
    clear();
    render();
  }

  function clear() {
    for (const element of rendered.values()) element.remove();
    rendered.clear();
  }

  function rowElement(at) {
    const row = shown[at];
    const element = make("div", null, { role: "row", id: `row-${at}`, "aria-rowindex": String(at + 2) });
    element.className = itemOf(row) === undefined ? "row" : "row opens";
    element.style.top = `${at * ROW_PX}px`;
    for (const head of HEADS) {
      const cell = make("div", head.text(row), { role: "gridcell" });
      if (head.isNumber) cell.className = "number";
      if (head.key === "verdict_file") cell.className = `verdict-${named("verdict_file", row)}`;
      if (head.key === "verdict_sync") cell.className = `verdict-${named("verdict_sync", row)}`;
      if (head.key === "verdict_voice") cell.className = `verdict-${named("verdict_voice", row)}`;
      if (head.key === "verdict") cell.className = `verdict-${named("verdict", row)}`;
      if (head.key === "evidence" && itemOf(row) !== undefined) cell.setAttribute("aria-label", "evidence is kept");
      if (head.key === "uri") cell.title = columns.uri[row];
      if (head.key === "reason") cell.title = head.text(row);
      element.append(cell);
    }
    element.addEventListener("click", () => { active = at; render(); open(row); });
    return element;
  }

  function render() {
    const first = isPrinting ? 0 : Math.max(0, Math.floor(body.scrollTop / ROW_PX) - SPARE_ROWS);
    const height = Math.ceil(body.clientHeight / ROW_PX) + 2 * SPARE_ROWS;
    const end = Math.min(shown.length, isPrinting ? MAX_PRINTED : first + height);
    for (const [at, element] of rendered) {
      if (at < first || at >= end) { element.remove(); rendered.delete(at); }
    }
    // From the last to the first, so that each is inserted before the one below it.
    for (let at = end - 1, below = null; at >= first; at -= 1) {
      if (!rendered.has(at)) {
        rendered.set(at, rowElement(at));
        body.insertBefore(rendered.get(at), below);
      }
      below = rendered.get(at);
      below.classList.toggle("active", at === active && !isPrinting);
    }
    // Headings stay aligned with their columns, however wide the scroll bar is.
    byId("grid-head").style.paddingRight = `${body.offsetWidth - body.clientWidth}px`;
    if (rendered.has(active)) byId("grid").setAttribute("aria-activedescendant", `row-${active}`);
    else byId("grid").removeAttribute("aria-activedescendant");
  }

  function moveTo(at) {
    active = Math.max(0, Math.min(shown.length - 1, at));
    const top = active * ROW_PX;
    if (top < body.scrollTop) body.scrollTop = top;
    else if (top + ROW_PX > body.scrollTop + body.clientHeight) body.scrollTop = top + ROW_PX - body.clientHeight;
    render();
  }

  function onKey(event) {
    if (event.target !== byId("grid")) return;
    const page = Math.max(1, Math.floor(body.clientHeight / ROW_PX) - 1);
    const moves = { ArrowDown: 1, ArrowUp: -1, PageDown: page, PageUp: -page, Home: -numRows, End: numRows };
    if (event.key in moves) { event.preventDefault(); moveTo(active + moves[event.key]); }
    else if (event.key === "Enter" && shown.length) {
      // Otherwise the same key press would reach the focused Close button.
      event.preventDefault();
      open(shown[active]);
    }
  }

  function makeHeads() {
    HEADS.forEach((head) => {
      const cell = make("div", null, { role: "columnheader", "aria-sort": "none" });
      cell.dataset.key = head.key;
      const button = make("button", head.label, { type: "button", "aria-label": `sort by ${head.title ?? head.label}` });
      button.append(make("span", "", { class: "arrow", "aria-hidden": "true" }));
      button.addEventListener("click", () => {
        const isSame = sort.key === head.key;
        sort = { key: head.key, isDescending: isSame ? !sort.isDescending : Boolean(head.isNumber) || head.key === "evidence" };
        sortRows();
        filterRows();
      });
      cell.append(button);
      byId("grid-head").append(cell);
    });
    for (const column of ["verdict", "status"]) {
      for (const name of names[column]) byId(`filter-${column}`).append(make("option", (column === "verdict" && data.words[name]) || name.replace("_", " "), { value: name }));
    }
  }

  // --- evidence --------------------------------------------------------------------------------

  function picture(item, name, alt, caption) {
    const figure = make("figure");
    const content = item.pictures[name];
    if (content === undefined) figure.append(make("p", "The picture is missing.", { class: "quiet" }));
    else figure.append(make("img", null, { src: `data:image/jpeg;base64,${content}`, alt }));
    figure.append(make("figcaption", caption));
    return figure;
  }

  // All answers of a file share one axis of time.
  function lastSecond(item) {
    const ends = [...(item.voice?.windows ?? []), ...(item.sync?.blocks ?? [])].map((one) => one.end_seconds);
    return Math.max(...item.tracks.flatMap((track) => track.pts_seconds), ...ends, item.voice?.duration_seconds ?? 0, 0.001);
  }

  // A moment opens the file itself where it is on this machine; the report holds no sound.
  function playable(shape, uri, begin, end) {
    if (!uri.startsWith("/")) return shape;
    const path = uri.split("/").map(encodeURIComponent).join("/");
    const link = draw("a", { href: `file://${path}#t=${begin.toFixed(2)}${end === undefined ? "" : `,${end.toFixed(2)}`}`, target: "_blank", rel: "noopener", "aria-label": `play from ${seconds(begin)}` });
    link.append(shape);
    return link;
  }

  function timeline(item, last, uri) {
    const width = 700, height = 160, left = 40, bottom = 22, top = 8;
    const x = (at) => left + (at / last) * (width - left - 10);
    const y = (prob) => top + (1 - prob) * (height - bottom - top);
    const high = Math.min(1, item.fake_from ?? 1), low = Math.min(high, item.real_below ?? 0);
    const speaker = item.tracks.length > 1 ? item.sync?.speaking_track_id : null;
    const ranges = item.tracks.map((track) => `face ${track.track_id}${track.track_id === speaker ? " (speaks)" : ""} between ${percent(Math.min(...track.prob_fake))} and ${percent(Math.max(...track.prob_fake))}`);
    const svg = draw("svg", { class: "timeline", viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": `prob_fake over ${last.toFixed(1)} seconds: ${ranges.join(", ")}` });
    svg.append(draw("rect", { class: "band", x: left, y: y(high), width: width - left - 10, height: Math.max(0, y(low) - y(high)) }));
    for (const value of [0, 0.5, 1]) svg.append(draw("text", { x: 4, y: y(value) + 4 }, `${100 * value} %`));
    for (const value of [0, last]) svg.append(draw("text", { x: value === 0 ? left : width - 44, y: height - 6 }, `${value.toFixed(1)} s`));
    for (const track of item.tracks) {
      const other = track.is_strongest ? "" : " other";
      const points = track.pts_seconds.map((at, number) => `${x(at).toFixed(1)},${y(track.prob_fake[number]).toFixed(1)}`);
      svg.append(draw("polyline", { class: `track${other}`, points: points.join(" ") }));
      track.pts_seconds.forEach((at, number) => {
        const dot = draw("circle", { class: `dot${other}`, cx: x(at).toFixed(1), cy: y(track.prob_fake[number]).toFixed(1), r: 2.5 });
        dot.append(draw("title", {}, `face ${track.track_id}${track.track_id === speaker ? " (speaks)" : ""}, ${seconds(at)}: ${percent(track.prob_fake[number])}`));
        svg.append(playable(dot, uri, at));
      });
    }
    return svg;
  }

  // The waveform above, the probability of each window of speech below, on one axis of time.
  function voiceTimeline(voice, last, uri) {
    const width = 700, height = 230, left = 40, right = 10, middle = 48, half = 40, top = 100, bottom = 22;
    const x = (at) => left + (Math.min(at, last) / last) * (width - left - right);
    const y = (prob) => top + (1 - prob) * (height - bottom - top);
    const probs = voice.windows.map((one) => one.prob_fake);
    const range = probs.length ? `between ${percent(Math.min(...probs))} and ${percent(Math.max(...probs))}` : "unknown";
    const svg = draw("svg", { class: "voice", viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": `waveform of ${last.toFixed(1)} seconds, and probability of spoofed speech ${range}` });
    for (const one of voice.windows.filter((each) => each.is_strongest)) {
      const mark = draw("rect", { class: "strongest", x: x(one.pts_seconds).toFixed(1), y: middle - half, width: Math.max(1, x(one.end_seconds) - x(one.pts_seconds)).toFixed(1), height: height - bottom - middle + half });
      mark.append(draw("title", {}, `strongest: ${seconds(one.pts_seconds)} to ${seconds(one.end_seconds)}`));
      svg.append(mark);
    }
    const parts = voice.waveform;
    const heard = voice.duration_seconds ?? last;
    const at = (number) => x(((number + 0.5) / parts.length) * heard).toFixed(1);
    const level = (value) => (middle - (value / 127) * half).toFixed(1);
    if (parts.length) {
      const above = parts.map(([, high], number) => `${at(number)},${level(high)}`);
      const below = parts.map(([low], number) => `${at(number)},${level(low)}`).reverse();
      svg.append(draw("polygon", { class: "wave", points: [...above, ...below].join(" ") }));
    }
    svg.append(draw("line", { class: "axis", x1: left, x2: width - right, y1: middle, y2: middle }));
    for (const value of [0, 0.5, 1]) svg.append(draw("text", { x: 4, y: y(value) + 4 }, `${100 * value} %`));
    for (const value of [0, last]) svg.append(draw("text", { x: value === 0 ? left : width - 44, y: height - 6 }, `${value.toFixed(1)} s`));
    for (const value of [voice.real_below, voice.fake_from]) {
      if (value !== null && value <= 1) svg.append(draw("line", { class: "threshold", x1: left, x2: width - right, y1: y(value).toFixed(1), y2: y(value).toFixed(1) }));
    }
    for (const one of voice.windows) {
      const line = draw("line", { class: "window", x1: x(one.pts_seconds).toFixed(1), x2: x(one.end_seconds).toFixed(1), y1: y(one.prob_fake).toFixed(1), y2: y(one.prob_fake).toFixed(1) });
      line.append(draw("title", {}, `${seconds(one.pts_seconds)} to ${seconds(one.end_seconds)}: ${percent(one.prob_fake)}`));
      svg.append(playable(line, uri, one.pts_seconds, one.end_seconds));
    }
    return svg;
  }

  // The probability of a mismatch in each block of about a second.
  function lipsTimeline(sync, last, uri) {
    const width = 700, height = 130, left = 40, right = 10, top = 8, bottom = 22;
    const x = (at) => left + (Math.min(at, last) / last) * (width - left - right);
    const y = (prob) => top + (1 - prob) * (height - bottom - top);
    const svg = draw("svg", { class: "voice lips", viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": `probability of a mismatch of lips and sound, in ${sync.blocks.length} blocks over ${last.toFixed(1)} seconds` });
    for (const value of [0, 0.5, 1]) svg.append(draw("text", { x: 4, y: y(value) + 4 }, `${100 * value} %`));
    for (const value of [0, last]) svg.append(draw("text", { x: value === 0 ? left : width - 44, y: height - 6 }, `${value.toFixed(1)} s`));
    const from = sync.mismatch_from;
    if (from !== null && from <= 1) svg.append(draw("line", { class: "threshold", x1: left, x2: width - right, y1: y(from).toFixed(1), y2: y(from).toFixed(1) }));
    for (const one of sync.blocks) {
      const bar = draw("rect", { class: one.is_strongest ? "block most" : "block", x: x(one.pts_seconds).toFixed(1), y: y(one.prob_mismatch).toFixed(1), width: Math.max(1, x(one.end_seconds) - x(one.pts_seconds) - 1).toFixed(1), height: Math.max(1, y(0) - y(one.prob_mismatch)).toFixed(1) });
      const who = one.track_id === null ? "" : `, face ${one.track_id}`;
      bar.append(draw("title", {}, `${seconds(one.pts_seconds)} to ${seconds(one.end_seconds)}${who}: ${percent(one.prob_mismatch)}, sound ${(1000 * one.offset_seconds).toFixed(0)} ms late`));
      svg.append(playable(bar, uri, one.pts_seconds, one.end_seconds));
    }
    return svg;
  }

  function offsetSentence(sync) {
    if (sync.offset_seconds === null) return "";
    const ms = Math.round(1000 * sync.offset_seconds);
    if (ms === 0) return " Sound and picture are at the same time.";
    const how = `The sound is ${Math.abs(ms)} ms ${ms > 0 ? "late" : "early"} throughout`;
    return ` ${how}${sync.is_out_of_sync ? ", more than people tolerate; that is no sign of a fake" : ", which nobody notices"}.`;
  }

  function lipsSection(sync, last, uri) {
    const part = make("section");
    part.append(make("h4", "Lips and sound: the probability of a mismatch over time"), lipsTimeline(sync, last, uri));
    const who = sync.speaking_track_id === null ? "" : ` Face ${sync.speaking_track_id} speaks.`;
    part.append(make("p", `Each bar is about a second; the darkest fits least.${who}${offsetSentence(sync)} Lips that fit are no sign of a real file.`, { class: "quiet" }));
    return part;
  }

  function voiceSection(voice, last, uri) {
    const part = make("section");
    part.append(make("h4", "The sound, and the probability of spoofed speech over time"), voiceTimeline(voice, last, uri));
    const low = voice.real_below, high = voice.fake_from;
    const lines = low === null ? "" : ` Dashed: under ${percent(low)} no sign is found, ${high > 1 ? "and nothing is called fake" : `from ${percent(high)} on it is called fake`}. The file is judged by all windows together.`;
    part.append(make("p", `Each line is a window of speech; the one marked looks most like a fake.${lines}`, { class: "quiet" }));
    return part;
  }

  function facts(pairs) {
    const list = make("dl", null, { class: "facts" });
    for (const [name, value] of pairs) list.append(make("dt", name), make("dd", value));
    return list;
  }

  function provenance(item) {
    const part = make("section");
    part.append(make("h4", "What the file says about how it was made (no part of the score)"));
    const found = item.provenance;
    if (found === null) { part.append(make("p", "It was not read.")); return part; }
    for (const sentence of found.sentences) part.append(make("p", sentence));
    const pairs = Object.entries(found.tags).map(([name, value]) => [name.replaceAll("_", " "), value]);
    const credentials = found.credentials;
    if (credentials !== null && credentials.state !== "none") {
      pairs.unshift(["Content Credentials", credentials.state]);
      if (credentials.source_types.length) pairs.push(["digital source type", credentials.source_types.join(", ")]);
    }
    if (pairs.length) part.append(facts(pairs));
    return part;
  }

  function moved(crop) {
    if (crop.moved_by_hottest === null) return "";
    const times = (logOdds) => Math.exp(Math.abs(logOdds)).toLocaleString("en", { maximumSignificantDigits: 2 });
    return ` Without its brightest tenth the odds of a fake change ${times(crop.moved_by_hottest)}-fold, without a tenth at random ${times(crop.moved_by_random)}-fold (log-odds: ${crop.moved_by_hottest.toFixed(2)} and ${crop.moved_by_random.toFixed(2)}).`;
  }

  function itemElement(item, row, headingId) {
    const part = make("article", null, { class: "item" });
    part.append(make("h3", columns.uri[row], headingId ? { id: headingId } : {}));
    const uri = columns.uri[row], last = lastSecond(item);
    part.append(facts([
      ...(fileWords(row) ? [["the file", fileWords(row)], ["because", named("reason_file", row)]] : []),
      [hasFiles ? "faces" : "verdict", verdictWords(row)],
      ...(columns.prob_fake[row] === null ? [] : [["probability of a fake (prob_fake)", percent(columns.prob_fake[row])]]),
      ...(ratio(row) ? [["likelihood ratio", `${ratio(row)} (how many times more probable such a score is for a fake than for a real file)`]] : []),
      ...(named("reason", row) ? [["reason", named("reason", row)]] : []),
      ...(voiceWords(row) ? [["voice", voiceWords(row)]] : []),
      ...(hasVoices && named("reason_voice", row) ? [["reason of the voice", named("reason_voice", row)]] : []),
      ...(lipsWords(row) ? [["lips and sound", lipsWords(row)]] : []),
      ...(hasLips && named("reason_sync", row) ? [["reason of lips and sound", named("reason_sync", row)]] : []),
      ["SHA-256", item.media_id],
    ]));
    if (item.kind === "video" && item.tracks.length) {
      part.append(make("h4", "Probability of a fake over time; in the band nothing is decided"), timeline(item, last, uri));
    }
    if (item.voice !== null) part.append(voiceSection(item.voice, last, uri));
    if (item.sync !== null && item.sync !== undefined) part.append(lipsSection(item.sync, last, uri));
    if (item.frames.length) {
      part.append(make("h4", "Strongest frames"));
      const pictures = make("div", null, { class: "pictures" });
      for (const frame of item.frames) {
        const faces = frame.faces.map((face) => `face ${face.track_id}: ${percent(face.prob_fake)}`).join(", ");
        const when = item.kind === "video" ? `${seconds(frame.pts_seconds)}, ` : "";
        pictures.append(picture(item, frame.picture, `frame with boxes around ${frame.faces.length} faces`, `${when}${faces}`));
      }
      part.append(pictures);
    }
    if (item.crops.length) {
      part.append(make("h4", "Faces as the detector saw them, and what moved the score"));
      const pictures = make("div", null, { class: "pictures" });
      for (const crop of item.crops) {
        const when = item.kind === "video" ? `${seconds(crop.pts_seconds)}, ` : "";
        pictures.append(picture(item, crop.picture, `face ${crop.track_id}`, `${when}face ${crop.track_id}: ${percent(crop.prob_fake)}`));
        if (crop.heat_picture !== null) pictures.append(picture(item, crop.heat_picture, `heat map of face ${crop.track_id}: bright parts moved the score`, `heat map.${moved(crop)}`));
      }
      part.append(pictures);
    }
    for (const note of item.notes) part.append(make("p", note, { class: "warning" }));
    part.append(provenance(item));
    return part;
  }

  function open(row) {
    const at = itemOf(row);
    if (at === undefined) return;
    byId("dialog-item").replaceChildren(itemElement(data.items[at], row, "dialog-title"));
    byId("dialog").showModal();
    byId("dialog-close").focus();
  }

  makeHeads();
  sortRows();
  filterRows();
  byId("filters").addEventListener("input", filterRows);
  byId("filters").addEventListener("reset", () => setTimeout(filterRows));
  byId("filters").addEventListener("submit", (event) => event.preventDefault());
  byId("grid").addEventListener("keydown", onKey);
  body.addEventListener("scroll", render);
  addEventListener("resize", render);
  addEventListener("beforeprint", () => {
    isPrinting = true;
    const left = shown.length - MAX_PRINTED;
    byId("printed").textContent = left > 0 ? `The first ${MAX_PRINTED} of these files are printed.` : "";
    render();
  });
  addEventListener("afterprint", () => { isPrinting = false; clear(); render(); });
  if (data.is_open) {
    for (let row = 0; row < numRows; row += 1) {
      const at = itemOf(row);
      if (at !== undefined) byId("items").append(itemElement(data.items[at], row));
    }
  }
})();
