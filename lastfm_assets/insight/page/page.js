"use strict";
(() => {
  const packed = document.getElementById("data-of-search");
  const query = document.getElementById("query");
  const list = document.getElementById("suggestions");
  const said = document.getElementById("said");
  const found = document.getElementById("found");
  const MOST = 8;
  const FEW = 3;
  const PEOPLE = 24;
  const TAGS = 10;
  let world = null;
  let loading = null;
  let options = [];
  let active = -1;

  // Text from the data only ever becomes a text node.
  const el = (tag, attributes, ...children) => {
    const made = document.createElement(tag);
    for (const [name, value] of Object.entries(attributes || {})) made.setAttribute(name, value);
    made.append(...children.filter((child) => child !== null));
    return made;
  };
  const bdi = (text) => el("bdi", null, text);
  const count = (value) => value.toLocaleString("en");
  const counted = (value, one, many = `${one}s`) => `${count(value)} ${value === 1 ? one : many}`;
  const thousandths = (value) => (value / 1000).toFixed(3);
  const folded = (text) =>
    text.normalize("NFKD").replace(/[\p{M}\u200b-\u200f\u202a-\u202e\u2060-\u2069]/gu, "").toLowerCase();

  const theme = document.getElementById("theme");
  const root = document.documentElement;
  const dark = window.matchMedia("(prefers-color-scheme: dark)");
  const isDark = () => (root.dataset.theme ? root.dataset.theme === "dark" : dark.matches);
  const nameTheme = () => { theme.textContent = isDark() ? "Light" : "Dark"; };
  theme.hidden = false;
  nameTheme();
  dark.addEventListener("change", nameTheme);
  theme.addEventListener("click", () => {
    root.dataset.theme = isDark() ? "light" : "dark";
    nameTheme();
  });
  if (!packed) return;

  const summed = (steps) => {
    let last = 0;
    return steps.map((step) => (last += step));
  };
  const starts = (sizes) => {
    const result = [0];
    for (const size of sizes) result.push(result[result.length - 1] + size);
    return result;
  };

  const unpack = async () => {
    const bytes = Uint8Array.from(atob(packed.textContent), (letter) => letter.charCodeAt(0));
    const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
    const data = JSON.parse(await new Response(stream).text());
    packed.remove();
    const users = summed(data.users);
    const artists = summed(data.artists);
    const playing = starts(data.playing);
    const listing = starts(data.listing);
    const listeners = artists.map(() => []);
    const told = artists.map(() => []);
    const reasons = [];
    let place = 0;
    users.forEach((_, user) => {
      for (let i = playing[user]; i < playing[user + 1]; i += 1) {
        listeners[data.played[i]].push([user, data.times[i]]);
      }
      for (let i = listing[user]; i < listing[user + 1]; i += 1) told[data.listed[i]].push(user);
    });
    data.listed.forEach(() => {
      reasons.push(place);
      place += data.reasons[place] < 0 ? 2 : data.reasons[place] + 1;
    });
    return {
      data, users, artists, playing, listing, listeners, told, reasons,
      tagged: starts(data.tagged),
      relatives: starts(data.relatives),
      whole: data.playing.every((kept, user) => kept === data.playingInAll[user]),
      one: data.noun[0],
      many: data.noun[1],
      // Where a source's own ids are text, users are called by them; numbers are exact to 2 ** 53.
      called: data.keys || users.map(String),
      foldedKeys: (data.keys || []).map(folded),
      userPlace: new Map(data.keys ? data.keys.map((key, user) => [key, user]) : users.map((id, user) => [String(id), user])),
      artistPlace: new Map(artists.map((id, artist) => [String(id), artist])),
      folded: data.names.map(folded),
    };
  };

  const load = () => {
    if (!loading) {
      loading = unpack().then(
        (ready) => { world = ready; },
        () => { said.textContent = "This browser cannot open the search; a newer one can."; },
      );
    }
    return loading;
  };

  const rank = (name, words) => {
    if (name === words) return 0;
    if (name.startsWith(words)) return 1;
    const at = name.indexOf(words);
    if (at < 0) return -1;
    return /[\p{L}\p{N}]/u.test(name[at - 1]) ? 3 : 2;
  };

  const plain = (digits) => digits.replace(/^0+(?=\d)/, "");

  const usersOf = (words) => {
    if (!world.data.keys) {
      const asUser = /^(?:user\s*)?#?(\d+)$/.exec(words);
      const user = asUser && world.userPlace.get(plain(asUser[1]));
      return user === null || user === undefined ? [] : [user];
    }
    const key = words.replace(/^user /, "");
    const whole = [];
    const begun = [];
    world.foldedKeys.forEach((one, user) => {
      if (one === key) whole.push(user);
      else if (one.startsWith(key)) begun.push(user);
    });
    return [...whole, ...begun];
  };

  const suggestions = (text) => {
    const words = folded(text).trim().replace(/\s+/g, " ");
    const result = [];
    if (!words) return { shown: [], more: 0 };
    const users = usersOf(words);
    const most = words.startsWith("user ") ? MOST : FEW;
    for (const user of users.slice(0, most)) {
      result.push({ kind: "user", place: user, note: counted(world.data.playingInAll[user], world.one, world.many) });
    }
    const hits = [];
    world.folded.forEach((name, artist) => {
      const how = rank(name, words);
      if (how >= 0) hits.push([how, -world.data.listeners[artist], artist]);
    });
    hits.sort((a, b) => a[0] - b[0] || a[1] - b[1] || a[2] - b[2]);
    for (const [, , artist] of hits) {
      result.push({ kind: "artist", place: artist, note: counted(world.data.listeners[artist], "listener") });
    }
    const shown = result.slice(0, MOST);
    return { shown, more: users.length + hits.length - shown.length };
  };

  const close = () => {
    list.hidden = true;
    active = -1;
    query.setAttribute("aria-expanded", "false");
    query.removeAttribute("aria-activedescendant");
  };

  const activate = (place) => {
    active = place;
    [...list.children].forEach((option, at) => {
      option.setAttribute("aria-selected", String(at === place));
      if (at === place) option.scrollIntoView({ block: "nearest" });
    });
    if (place >= 0) query.setAttribute("aria-activedescendant", `option-${place}`);
    else query.removeAttribute("aria-activedescendant");
  };

  const choose = (option) => {
    const hash = addressOf(option.kind, option.place);
    close();
    if (location.hash === hash) show();
    else location.hash = hash;
  };

  const suggest = () => {
    if (!world) return;
    const { shown, more } = suggestions(query.value);
    options = shown;
    list.replaceChildren(...shown.map((option, place) => {
      const name = option.kind === "user"
        ? el("span", null, "User ", bdi(world.called[option.place]))
        : bdi(world.data.names[option.place]);
      const line = el("li", { role: "option", id: `option-${place}`, "aria-selected": "false" }, name, el("small", null, option.note));
      line.addEventListener("mousedown", (event) => { event.preventDefault(); choose(option); });
      return line;
    }));
    list.hidden = shown.length === 0;
    query.setAttribute("aria-expanded", String(shown.length > 0));
    activate(-1);
    if (!query.value.trim()) said.textContent = "";
    else if (!shown.length) said.textContent = `Nobody of that ${world.data.keys ? "id" : "number"} or name.`;
    else said.textContent = `${counted(shown.length, "suggestion")}${more ? `, and ${count(more)} more: go on typing` : ""}`;
  };

  const addressOf = (kind, place) =>
    `#${kind}=${kind === "user" ? encodeURIComponent(world.called[place]) : world.artists[place]}`;
  const artistLink = (artist) => el("a", { href: addressOf("artist", artist) }, bdi(world.data.names[artist]));
  const userLink = (user) => el("a", { href: addressOf("user", user) }, "user ", bdi(world.called[user]));
  const bar = (share) => {
    const made = el("span", { class: "bar", "aria-hidden": "true" });
    made.style.width = `${Math.max(0.5, 100 * share)}%`;
    return made;
  };
  const row = (what, value, share, why) =>
    el("li", null,
      el("div", { class: "row" }, el("span", { class: "what" }, what), el("span", { class: "value" }, value)),
      why, share === null ? null : bar(share));
  const block = (title, content) => el("div", null, el("h4", null, title), content);
  const none = (text) => el("p", { class: "note" }, text);

  const because = (at) => {
    const { data, reasons } = world;
    const size = data.reasons[reasons[at]];
    if (size < 0) return el("div", { class: "why" }, "because of ", bdi(data.texts[data.reasons[reasons[at] + 1]]));
    if (!size) return null;
    const line = el("div", { class: "why" }, "because of ");
    const user = world.listing.findIndex((start) => start > at) - 1;
    for (let i = 1; i <= size; i += 1) {
      if (i > 1) line.append(", ");
      line.append(artistLink(data.played[world.playing[user] + data.reasons[reasons[at] + i]]));
    }
    return line;
  };

  const tagsOf = (user) => {
    const { data, playing, tagged } = world;
    const times = new Map();
    for (let i = playing[user]; i < playing[user + 1]; i += 1) {
      const artist = data.played[i];
      for (let t = tagged[artist]; t < tagged[artist + 1]; t += 1) {
        times.set(data.tag[t], (times.get(data.tag[t]) || 0) + 1);
      }
    }
    return [...times].sort((a, b) => b[1] - a[1] || a[0] - b[0]).slice(0, TAGS);
  };

  const tags = (pairs) => el("ul", { class: "tags" }, ...pairs.map(([tag, times]) =>
    el("li", null, bdi(world.data.tags[tag]), times ? el("small", null, ` ${times}`) : null)));

  const userCard = (user) => {
    const { data, playing, listing } = world;
    const listed = [];
    for (let i = listing[user]; i < listing[user + 1]; i += 1) {
      listed.push(row(artistLink(data.listed[i]), thousandths(data.scores[i]), data.scores[i] / 1000, because(i)));
    }
    const played = [];
    for (let i = playing[user]; i < playing[user + 1]; i += 1) {
      played.push(row(artistLink(data.played[i]), count(data.times[i]), data.times[i] / data.times[playing[user]], null));
    }
    const rest = played.splice(10);
    const plays = el("div", null, el("ol", { class: "rows" }, ...played));
    if (rest.length) {
      plays.append(el("details", null, el("summary", null, `and ${count(rest.length)} more`), el("ol", { class: "rows" }, ...rest)));
    }
    const taste = tagsOf(user);
    return el("article", null,
      el("h3", { tabindex: "-1" }, "User ", bdi(world.called[user])),
      el("p", { class: "note" }, `Plays ${counted(data.playingInAll[user], world.one, world.many)}.`),
      taste.length ? block(`Tags of what they play, with the number of ${world.many}`, tags(taste)) : null,
      el("div", { class: "two" },
        block("Recommended, with score", listed.length ? el("ol", { class: "rows" }, ...listed) : none(`Nothing: they play every ${world.one} there is.`)),
        block("Plays most, with plays", plays)));
  };

  const people = (users, more) => el("p", { class: "people" }, ...users, more > 0 ? `and ${count(more)} more` : null);

  const artistCard = (artist) => {
    const { data, relatives, tagged, told, listeners } = world;
    const similar = [];
    for (let i = relatives[artist]; i < relatives[artist + 1]; i += 1) {
      similar.push(row(artistLink(data.similar[i]), thousandths(data.similarity[i]), data.similarity[i] / 1000, null));
    }
    const words = data.tag.slice(tagged[artist], tagged[artist + 1]).map((tag) => [tag, 0]);
    const fans = [...listeners[artist]].sort((a, b) => b[1] - a[1] || a[0] - b[0]).slice(0, 10);
    const toWhom = told[artist];
    return el("article", null,
      el("h3", { tabindex: "-1" }, bdi(data.names[artist])),
      el("p", { class: "note" }, `${counted(data.listeners[artist], "listener")}, ${counted(data.plays[artist], "play")}; recommended to ${counted(toWhom.length, "user")}.`),
      words.length ? block("Called", tags(words)) : null,
      el("div", { class: "two" },
        block(`Similar ${world.many}, with similarity`, similar.length ? el("ol", { class: "rows" }, ...similar) : none("None: nobody plays it together with another.")),
        el("div", null,
          world.whole && fans.length ? block("Played most by, with plays", el("ol", { class: "rows" }, ...fans.map(([user, times]) => row(userLink(user), count(times), times / fans[0][1], null)))) : null,
          toWhom.length ? block("Recommended to", people(toWhom.slice(0, PEOPLE).map(userLink), toWhom.length - PEOPLE)) : null)));
  };

  const decoded = (text) => {
    try {
      return decodeURIComponent(text);
    } catch {
      return null;
    }
  };

  const show = async (event) => {
    const asked = /^#(user|artist)=(.{1,1000})$/.exec(location.hash);
    const id = asked && decoded(asked[2]);
    if (id === null) {
      if (!location.hash) found.replaceChildren();
      return;
    }
    await load();
    if (!world || location.hash !== asked[0]) return;
    const byKey = asked[1] === "user" && world.data.keys;
    if (!byKey && !/^\d{1,16}$/.test(id)) return;
    const place = (asked[1] === "user" ? world.userPlace : world.artistPlace).get(byKey ? id : plain(id));
    if (place === undefined) {
      const what = asked[1] === "user" ? "user" : world.one;
      found.replaceChildren(el("article", null, el("h3", { tabindex: "-1" }, `There is no ${what} `, bdi(id))));
    } else {
      found.replaceChildren(asked[1] === "user" ? userCard(place) : artistCard(place));
    }
    said.textContent = "";
    const heading = found.querySelector("h3");
    heading.focus({ preventScroll: true });
    heading.scrollIntoView({ block: "nearest" });
    if (!event || found.getBoundingClientRect().bottom > window.innerHeight) {
      document.getElementById("search").scrollIntoView({ block: "start" });
    }
  };

  query.addEventListener("focus", () => { load().then(suggest); });
  query.addEventListener("input", () => { load().then(suggest); });
  query.addEventListener("blur", close);
  query.addEventListener("keydown", (event) => {
    const last = options.length - 1;
    if (event.key === "ArrowDown" || event.key === "ArrowUp") {
      event.preventDefault();
      if (list.hidden) suggest();
      if (!options.length) return;
      const down = event.key === "ArrowDown";
      if (down) activate(active >= last ? 0 : active + 1);
      else activate(active <= 0 ? last : active - 1);
    } else if (event.key === "Enter") {
      event.preventDefault();
      load().then(() => {
        if (list.hidden || active < 0) suggest();
        const option = options[Math.max(active, 0)];
        if (option) choose(option);
      });
    } else if (event.key === "Escape") {
      if (list.hidden) query.value = "";
      close();
    }
  });
  query.disabled = false;
  window.addEventListener("hashchange", show);
  // The first view is painted before anything is unpacked.
  window.addEventListener("load", () => { setTimeout(() => { load().then(() => show()); }, 200); });
})();
