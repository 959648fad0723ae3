// The chart follows the width of the page, the keyboard and the address; what it shows is said beside it.
const KEYS = ["network", "tau", "image"];
const chart = document.querySelector("#chart");

function fitted(spec) {
  const width = Math.max(220, Math.min(720, chart.clientWidth - 80));
  for (const view of spec.vconcat) view.width = width;
  for (const view of [spec, ...spec.vconcat, ...spec.vconcat.flatMap(({ layer }) => layer ?? [])])
    if (view.encoding?.color?.legend) view.encoding.color.legend.columns = Math.max(2, Math.floor(width / 110));
  return spec;
}

function say(view) {
  const chosen = Object.fromEntries(KEYS.map(key => [key, view.signal(`chosen_${key}`)]));
  const record = RECORDS.find(record => KEYS.every(key => record[key] === chosen[key]));
  document.querySelector("#words").textContent = record?.description ?? "This network has no such time constant.";
  const picture = document.querySelector("#picture");
  picture.hidden = !(picture.src = PICTURES[chosen.image] ?? "");
  picture.alt = `Test image ${chosen.image}`;
  const state = new URLSearchParams(chosen).toString();
  if (parent !== window) parent.postMessage({ state }, "*");
  else history.replaceState(null, "", `#${state}`);
}

function choose(view, state) {
  for (const [key, value] of new URLSearchParams(state)) {
    const field = document.querySelector(`select[name="chosen_${key}"]`);
    if (field && [...field.options].some(option => option.text === value)) view.signal(`chosen_${key}`, value);
  }
  view.runAsync().then(() => say(view));
}

function step(view, key, by) {
  const field = document.querySelector(`select[name="chosen_${key}"]`);
  const place = (field.selectedIndex + by + field.length) % field.length;
  choose(view, new URLSearchParams({ [key]: field.options[place].text }));
}

vegaEmbed(chart, fitted(SPEC), { renderer: "svg", actions: false }).then(({ view }) => {
  for (const key of KEYS) view.addSignalListener(`chosen_${key}`, () => say(view));
  addEventListener("keydown", event => {
    if (event.target.matches("input, select") || event.ctrlKey || event.metaKey || event.altKey) return;
    const steps = { ArrowRight: ["image", 1], ArrowLeft: ["image", -1], n: ["network", 1], t: ["tau", 1] };
    if (steps[event.key]) step(view, ...steps[event.key]);
  });
  if (parent === window) choose(view, location.hash.slice(1));
  else {
    addEventListener("message", ({ data }) => choose(view, data.state ?? ""), { once: true });
    parent.postMessage({ state: "" }, "*");
  }
});
