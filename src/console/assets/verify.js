// Checks the log in this browser: the server sends bytes, and none of its words is believed. Ed25519 and SHA-256 are the
// browser's own (WebCrypto); the tree is that of RFC 6962 over tiles of C2SP tlog-tiles.
"use strict";

(() => {
  const box = document.getElementById("verify");
  const list = document.getElementById("checks");
  const verdict = document.getElementById("verdict");
  const progress = document.getElementById("progress");
  if (!box || !globalThis.crypto?.subtle) {
    return;
  }
  box.querySelector(".needs-script").hidden = false;
  const words = list.dataset;

  const bytesOf = (text) => Uint8Array.from(atob(text), (c) => c.charCodeAt(0));
  const textOf = (bytes) => btoa(String.fromCharCode(...bytes));
  const same = (a, b) => a.length === b.length && a.every((byte, at) => byte === b[at]);
  const joined = (...parts) => {
    const all = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
    let at = 0;
    for (const part of parts) {
      all.set(part, at);
      at += part.length;
    }
    return all;
  };
  const sha256 = async (bytes) => new Uint8Array(await crypto.subtle.digest("SHA-256", bytes));
  const leafHash = (entry) => sha256(joined(Uint8Array.of(0), entry));
  const nodeHash = (left, right) => sha256(joined(Uint8Array.of(1), left, right));

  class Wrong extends Error {}

  // The largest power of two below n.
  const below = (n) => {
    let power = 1;
    while (power * 2 < n) {
      power *= 2;
    }
    return power;
  };
  const treeHash = async (hashes) => {
    if (hashes.length === 1) {
      return hashes[0];
    }
    const left = below(hashes.length);
    return nodeHash(await treeHash(hashes.slice(0, left)), await treeHash(hashes.slice(left)));
  };

  const number = (index) => {
    let path = String(index % 1000).padStart(3, "0");
    for (let rest = Math.floor(index / 1000); rest > 0; rest = Math.floor(rest / 1000)) {
      path = `x${String(rest % 1000).padStart(3, "0")}/${path}`;
    }
    return path;
  };
  const at = (size, level) => Math.floor(size / 256 ** level);

  class Log {
    constructor(size) {
      this.size = size;
      this.tiles = new Map();
    }

    async fetched(path) {
      const answer = await fetch(`/console/log/tile/${path}`, { cache: "no-store" });
      if (!answer.ok) {
        throw new Wrong(`${path}: ${answer.status}`);
      }
      return new Uint8Array(await answer.arrayBuffer());
    }

    width(level, index) {
      return Math.min(256, at(this.size, level) - index * 256);
    }

    async tile(level, index) {
      const key = `${level}/${index}`;
      if (!this.tiles.has(key)) {
        const width = this.width(level, index);
        const tail = width < 256 ? `.p/${width}` : "";
        const bytes = await this.fetched(`${level}/${number(index)}${tail}`);
        if (width < 1 || bytes.length !== width * 32) {
          throw new Wrong(key);
        }
        const hashes = [];
        for (let first = 0; first < bytes.length; first += 32) {
          hashes.push(bytes.slice(first, first + 32));
        }
        this.tiles.set(key, hashes);
      }
      return this.tiles.get(key);
    }

    // The root of the first `size` entries: whole trees from the left, joined from the right.
    async root(size) {
      const parts = [];
      let first = 0;
      while (first < size) {
        let span = 1;
        while (span * 2 <= size - first) {
          span *= 2;
        }
        let level = 0;
        let step = 1;
        while (step * 256 <= span) {
          step *= 256;
          level += 1;
        }
        const begin = first / step;
        const hashes = await this.tile(level, Math.floor(begin / 256));
        parts.push(await treeHash(hashes.slice(begin % 256, (begin % 256) + span / step)));
        first += span;
      }
      let root = parts.pop();
      while (parts.length > 0) {
        root = await nodeHash(parts.pop(), root);
      }
      return root;
    }

    // Whether the entries of a bundle are those that the root commits to.
    async bundle(index) {
      const width = this.width(0, index);
      const tail = width < 256 ? `.p/${width}` : "";
      const bytes = await this.fetched(`entries/${number(index)}${tail}`);
      const hashes = await this.tile(0, index);
      let place = 0;
      for (let entry = 0; entry < width; entry += 1) {
        const length = (bytes[place] << 8) | bytes[place + 1];
        const body = bytes.slice(place + 2, place + 2 + length);
        if (body.length !== length || !same(await leafHash(body), hashes[entry])) {
          throw new Wrong(String(index * 256 + entry));
        }
        place += 2 + length;
      }
      if (place !== bytes.length) {
        throw new Wrong(`entries/${index}`);
      }
      // A full tile is a hash of the one above; those at the edge are part of the root.
      let level = 0;
      let above = index;
      while (this.width(level, above) === 256 && at(this.size, level + 1) > 0) {
        const own = await treeHash(await this.tile(level, above));
        const parent = await this.tile(level + 1, Math.floor(above / 256));
        if (!same(own, parent[above % 256])) {
          throw new Wrong(`${level}/${above}`);
        }
        level += 1;
        above = Math.floor(above / 256);
      }
      return width;
    }
  }

  // A signed note: text, an empty line, signatures.
  const opened = async (note, vkey) => {
    const [name, id, encoded] = [vkey.split("+")[0], vkey.split("+")[1], vkey.split("+").slice(2).join("+")];
    const key = bytesOf(encoded);
    const split = note.lastIndexOf("\n\n");
    const text = note.slice(0, split + 1);
    const line = note.slice(split + 2).split("\n").find((one) => one.startsWith(`— ${name} `));
    if (split < 0 || !line || key[0] !== 1 || key.length !== 33) {
      throw new Wrong(words.signature);
    }
    const signature = bytesOf(line.slice(`— ${name} `.length));
    const hash = await sha256(joined(new TextEncoder().encode(`${name}\n`), key));
    const expected = hash.slice(0, 4);
    const hex = Array.from(expected, (byte) => byte.toString(16).padStart(2, "0")).join("");
    if (hex !== id || !same(signature.slice(0, 4), expected)) {
      throw new Wrong(words.signature);
    }
    const imported = await crypto.subtle.importKey("raw", key.slice(1), { name: "Ed25519" }, false, ["verify"]);
    const good = await crypto.subtle.verify("Ed25519", imported, signature.slice(4), new TextEncoder().encode(text));
    const [origin, size, root] = text.split("\n");
    if (!good || origin !== name || !/^(0|[1-9][0-9]*)$/.test(size)) {
      throw new Wrong(words.signature);
    }
    return { size: Number(size), root: bytesOf(root) };
  };

  const said = (text, good) => {
    const item = document.createElement("li");
    item.className = good ? "good" : "bad";
    item.textContent = text;
    list.append(item);
  };
  const filled = (text, values) => text.replace(/\{(\w+)\}/g, (whole, name) => values[name] ?? whole);
  const kept = "guest-vault log";

  const check = async (most) => {
    list.replaceChildren();
    verdict.hidden = true;
    progress.hidden = false;
    progress.value = 0;
    const vkey = document.getElementById("vkey").value.trim();
    try {
      const answer = await fetch("/console/log/checkpoint", { cache: "no-store" });
      const { size, root } = await opened(await answer.text(), vkey);
      said(filled(words.signature, { n: size }), true);
      const log = new Log(size);
      if (!same(await log.root(size), root)) {
        throw new Wrong(words.root);
      }
      said(words.root, true);
      const before = JSON.parse(localStorage.getItem(kept) ?? "null");
      if (before && before.vkey !== vkey) {
        said(words.changed, false);
      } else if (before && (before.size > size || !same(await log.root(before.size), bytesOf(before.root)))) {
        throw new Wrong(words.consistent);
      } else if (before) {
        said(filled(words.consistent, { n: before.size }), true);
      } else {
        said(words.first, true);
      }
      const first = Math.ceil(Number(box.dataset.minimum) / 256);
      const all = Array.from({ length: Math.max(0, Math.ceil(size / 256) - first) }, (_, index) => first + index);
      const some = all.length <= most ? all : [];
      while (some.length < Math.min(most, all.length)) {
        const [pick] = crypto.getRandomValues(new Uint32Array(1));
        some.push(...all.splice(pick % all.length, 1));
      }
      let entries = 0;
      for (const [done, index] of some.entries()) {
        entries += await log.bundle(index);
        progress.value = ((done + 1) * 100) / some.length;
      }
      said(filled(words.entries, { n: entries, size }), true);
      localStorage.setItem(kept, JSON.stringify({ vkey, size, root: textOf(root) }));
      verdict.className = "note done";
      verdict.textContent = words.good;
    } catch (error) {
      said(error.message, false);
      verdict.className = "note wrong";
      verdict.textContent = error instanceof Wrong ? words.bad : box.dataset.stopped;
    }
    verdict.hidden = false;
    progress.hidden = true;
  };

  document.getElementById("check-some").addEventListener("click", () => check(32));
  document.getElementById("check-all").addEventListener("click", () => check(Number.POSITIVE_INFINITY));
})();
