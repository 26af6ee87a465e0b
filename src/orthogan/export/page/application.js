// The page itself: what its controls do.

const MOST_SEED = (1n << 63n) - 1n;
const GRID_MILLISECONDS = 12; // of a frame that may go into the grid, so that the page answers
const PLAY_SECONDS = 4; // from one seed to the other

const byId = (id) => document.getElementById(id);

// The seed that a text means, or null.
function seedOf(text) {
  const digits = text.trim();
  if (!/^[0-9]{1,19}$/.test(digits)) return null;
  const seed = BigInt(digits);
  return seed <= MOST_SEED ? seed : null;
}

class Application {
  constructor(model, base64) {
    this.model = model;
    this.generator = new Generator(model, base64);
    this.seed = 0n;
    this.label = null; // null: as the seed decides
    this.amounts = new Array(model.shares.length).fill(0);
    this.goal = 1n;
    this.way = 0;
    this.first = 0n; // seed of the first image of the grid
    this.weights = null; // of the large image, once somebody asks
    this.overlay = new Overlay(byId("overlay"), model);
  }

  start() {
    this.listen();
    this.draw();
    performance.mark("first image");
    this.fillGrid();
  }

  // What the seeds, the class and the sliders together mean.
  noise() {
    const { generator, amounts, way } = this;
    const [from, to] = [this.seed, this.goal].map((seed) => generator.latent(seed));
    const labels = [from, to].map((latent) => this.label ?? generator.classOf(latent));
    let direction = normalised(from);
    if (way > 0) direction = between(direction, normalised(to), way);
    if (amounts.some((amount) => amount !== 0)) {
      const axis = (row, i) => generator.directions[row * direction.length + i];
      const moved = (each, i) => amounts.reduce((sum, by, row) => sum + by * axis(row, i), each);
      direction = normalised(direction.map(moved));
    }
    if (labels[0] === null) return direction;
    const [before, after] = labels;
    const vector = (label, i) => generator.classVectors[label * direction.length + i];
    return direction.map(
      (each, i) => each + (1 - way) * vector(before, i) + way * vector(after, i),
    );
  }

  draw() {
    const noise = this.noise();
    const { pixels } = this.generator.draw([noise]);
    paint(byId("large"), pixels[0], this.model.size);
    this.current = noise;
    this.weights = null;
    this.overlay.clear();
    this.say();
    if (this.query !== undefined && this.query !== null) this.attend(this.query);
  }

  // At the next frame, once, however often it is asked for before.
  drawSoon() {
    if (this.isWaiting) return;
    this.isWaiting = true;
    requestAnimationFrame(() => {
      this.isWaiting = false;
      this.draw();
    });
  }

  say() {
    const label = this.label ?? this.generator.classOf(this.generator.latent(this.seed));
    const name = this.called(label);
    const far = this.way > 0 ? `, ${Math.round(100 * this.way)} % of the way to seed ${this.goal}` : "";
    const moved = this.amounts.some((amount) => amount !== 0) ? ", moved" : "";
    byId("said").textContent = `Seed ${this.seed}${name}${far}${moved}`;
    byId("large").setAttribute("aria-label", `Image of seed ${this.seed}${name}`);
  }

  // A class in words, behind a seed; nothing in a generator without classes.
  called(label) {
    return label === null ? "" : `, class ${this.model.classNames[label]}`;
  }

  setSeed(seed) {
    this.seed = seed < 0n ? 0n : seed > MOST_SEED ? MOST_SEED : seed;
    byId("seed").value = String(this.seed);
    byId("seed-fault").textContent = "";
    this.setWay(0);
    this.mark();
  }

  setWay(way) {
    this.way = way;
    byId("way").value = String(way);
    this.drawSoon();
  }

  // Attention.

  attend(query) {
    if (!this.model.program.weights.length) return;
    this.query = query;
    this.weights ??= this.generator.draw([this.current], true).weights;
    const layer = this.weights[Number(byId("layer").value)];
    const head = byId("head").value === "" ? null : Number(byId("head").value);
    const { read, side } = this.overlay.show(layer, head, query);
    this.reading = read;
    const best = read.reduce((best, each, token) => (each > read[best] ? token : best), 0);
    const place = (token) => `row ${Math.floor(token / side) + 1}, column ${(token % side) + 1}`;
    const most = best === query ? "itself" : place(best);
    byId("attended").textContent =
      `The patch in ${place(query)} attends most to ${most} (weight ${read[best].toFixed(2)}).`;
  }

  forget() {
    this.query = null;
    this.overlay.clear();
  }

  patchAt(event) {
    const box = byId("stage").getBoundingClientRect();
    const { side, patch, margin } = this.patches();
    const token = (at, start, length) => {
      const pixel = ((at - start) / length) * this.model.size;
      return Math.min(side - 1, Math.max(0, Math.floor((pixel + margin) / patch)));
    };
    return token(event.clientY, box.top, box.height) * side + token(event.clientX, box.left, box.width);
  }

  patches() {
    const { steps, weights } = this.model.program;
    return patchesOf(this.model, steps[weights[0]].shape[2]);
  }

  moveQuery(event) {
    const { side } = this.patches();
    const middle = (side >> 1) * side + (side >> 1);
    const now = this.query ?? middle;
    const [row, column] = [Math.floor(now / side), now % side];
    const moves = {
      ArrowUp: [row - 1, column], ArrowDown: [row + 1, column],
      ArrowLeft: [row, column - 1], ArrowRight: [row, column + 1],
    };
    const move = moves[event.key];
    if (event.key === "Escape") this.forget();
    if (!move) return;
    event.preventDefault();
    const [r, c] = move.map((each) => Math.min(side - 1, Math.max(0, each)));
    this.attend(this.query === undefined || this.query === null ? middle : r * side + c);
  }

  // The grid.

  fillGrid() {
    const sheet = byId("grid");
    if (!sheet.children.length) {
      for (let i = 0; i < this.model.gridSize; i++) {
        const button = document.createElement("button");
        button.type = "button";
        button.append(document.createElement("canvas"));
        button.tabIndex = i === 0 ? 0 : -1;
        button.addEventListener("click", () => {
          this.setSeed(this.first + BigInt(i));
          byId("image").scrollIntoView({ block: "nearest" });
        });
        sheet.append(button);
      }
      sheet.addEventListener("keydown", (event) => this.moveInGrid(event));
    }
    const last = this.first + BigInt(this.model.gridSize - 1);
    byId("range").textContent = `Seeds ${this.first} to ${last}`;
    byId("earlier").disabled = this.first === 0n;
    this.mark();
    const turn = (this.turn = (this.turn ?? 0) + 1); // a later one makes this one stop
    const draw = (at) => {
      const until = performance.now() + GRID_MILLISECONDS;
      while (turn === this.turn && at < this.model.gridSize) {
        this.drawSmall(at++);
        if (performance.now() >= until) return requestAnimationFrame(() => draw(at));
      }
    };
    draw(0);
  }

  drawSmall(at) {
    const seed = this.first + BigInt(at);
    const latent = this.generator.latent(seed);
    const label = this.label ?? this.generator.classOf(latent);
    const { pixels } = this.generator.draw([this.generator.noise(latent, label)]);
    const button = byId("grid").children[at];
    paint(button.firstChild, pixels[0], this.model.size);
    button.title = `Seed ${seed}${this.called(label)}`;
    button.setAttribute("aria-label", button.title);
  }

  mark() {
    [...byId("grid").children].forEach((button, i) =>
      button.setAttribute("aria-pressed", String(this.first + BigInt(i) === this.seed)),
    );
  }

  moveInGrid(event) {
    const buttons = [...byId("grid").children];
    const columns = getComputedStyle(byId("grid")).gridTemplateColumns.split(" ").length;
    const step = { ArrowLeft: -1, ArrowRight: 1, ArrowUp: -columns, ArrowDown: columns }[event.key];
    const to = buttons[buttons.indexOf(document.activeElement) + step];
    if (!step || !to) return;
    event.preventDefault();
    buttons.forEach((button) => (button.tabIndex = -1));
    to.tabIndex = 0;
    to.focus();
  }

  turnPage(by) {
    const size = BigInt(this.model.gridSize);
    const next = this.first + BigInt(by) * size;
    const most = MOST_SEED - size + 1n;
    this.first = next < 0n ? 0n : next > most ? most : next;
    this.fillGrid();
  }

  // Interpolation.

  play() {
    this.isPlaying = !this.isPlaying;
    byId("play").textContent = this.isPlaying ? "Stop" : "Play";
    if (!this.isPlaying) return;
    let [before, forth] = [null, this.way < 1 ? 1 : -1];
    const step = (now) => {
      if (!this.isPlaying) return;
      let way = this.way + (forth * (now - (before ?? now))) / (1000 * PLAY_SECONDS);
      before = now;
      if (way >= 1 || way <= 0) forth = way >= 1 ? -1 : 1;
      way = Math.min(1, Math.max(0, way));
      this.way = way;
      byId("way").value = String(way);
      this.draw();
      requestAnimationFrame(step);
    };
    requestAnimationFrame(step);
  }

  stop() {
    if (this.isPlaying) this.play();
  }

  listen() {
    const on = (id, kind, act) => byId(id)?.addEventListener(kind, act);
    on("controls", "submit", (event) => event.preventDefault());
    this.listenSeeds(on);
    on("class", "change", (event) => {
      this.label = event.target.value === "" ? null : Number(event.target.value);
      this.drawSoon();
      this.fillGrid();
    });
    document.querySelectorAll(".direction").forEach((slider, i) =>
      slider.addEventListener("input", () => {
        this.amounts[i] = Number(slider.value);
        this.drawSoon();
      }),
    );
    on("level", "click", () => {
      document.querySelectorAll(".direction").forEach((slider) => (slider.value = "0"));
      this.amounts.fill(0);
      this.drawSoon();
    });
    on("save", "click", () => saveCanvas(byId("large"), `seed-${this.seed}.png`));
    on("earlier", "click", () => this.turnPage(-1));
    on("later", "click", () => this.turnPage(1));
    this.listenAttention(on);
  }

  listenSeeds(on) {
    const read = (id, take) => () => {
      const seed = seedOf(byId(id).value);
      const fault = seed === null ? `A seed is a whole number from 0 to ${MOST_SEED}.` : "";
      byId(`${id}-fault`).textContent = fault;
      byId(id).setAttribute("aria-invalid", String(seed === null));
      if (seed !== null) take(seed);
    };
    const shown = (seed) => {
      this.stop();
      this.setSeed(seed);
    };
    on("seed", "input", read("seed", (seed) => {
      this.stop();
      this.seed = seed;
      this.setWay(0);
      this.mark();
    }));
    on("previous", "click", () => shown(this.seed - 1n));
    on("next", "click", () => shown(this.seed + 1n));
    on("random", "click", () => {
      const [high, low] = crypto.getRandomValues(new Uint32Array(2));
      shown((BigInt(high >>> 12) << 32n) | BigInt(low)); // few enough digits to be read out
    });
    on("goal", "input", read("goal", (seed) => {
      this.goal = seed;
      this.drawSoon();
    }));
    on("way", "input", (event) => {
      this.stop();
      this.setWay(Number(event.target.value));
    });
    on("play", "click", () => this.play());
  }

  listenAttention(on) {
    const { steps, weights } = this.model.program;
    if (!weights.length) return;
    const heads = () => {
      const count = steps[weights[Number(byId("layer").value)]].shape[1];
      const names = Array.from({ length: count }, (_, i) => [`Head ${i + 1}`, i]);
      choices(byId("head"), [["All heads", ""], ...names]);
    };
    choices(byId("layer"), weights.map((_, i) => [`Layer ${i + 1}`, i]));
    heads();
    const again = () => {
      if (this.query !== undefined && this.query !== null) this.attend(this.query);
    };
    on("layer", "change", () => {
      heads();
      again();
    });
    on("head", "change", again);
    on("stage", "pointermove", (event) => this.attend(this.patchAt(event)));
    on("stage", "pointerdown", (event) => this.attend(this.patchAt(event)));
    on("stage", "pointerleave", () => this.forget());
    on("stage", "keydown", (event) => this.moveQuery(event));
    on("stage", "blur", () => this.forget());
  }
}

// On the sphere that latents lie on, from one to the other by the shortest way.
function between(from, to, way) {
  const length = from.length;
  const cosine = from.reduce((sum, each, i) => sum + each * to[i], 0) / length;
  const angle = Math.acos(Math.min(1, Math.max(-1, cosine)));
  if (Math.sin(angle) < 1e-6) return way < 0.5 ? from : to;
  const before = Math.sin((1 - way) * angle) / Math.sin(angle);
  const after = Math.sin(way * angle) / Math.sin(angle);
  return from.map((each, i) => before * each + after * to[i]);
}

function choices(select, named) {
  const options = named.map(([text, value]) => {
    const option = document.createElement("option");
    option.textContent = text;
    option.value = String(value);
    return option;
  });
  select.replaceChildren(...options);
}

if (globalThis.document) {
  const model = JSON.parse(byId("model").textContent);
  const application = new Application(model, byId("numbers").textContent);
  application.start();
  globalThis.orthogan = application; // for those who open the console
}
