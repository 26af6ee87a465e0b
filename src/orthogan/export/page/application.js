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
  // `generator` is a `Generator`, or does the same; only its `draw` may take its time.
  constructor(model, generator) {
    this.model = model;
    this.generator = generator;
    this.seed = 0n;
    this.label = null; // null: as the seed decides
    this.amounts = new Array(model.shares.length).fill(0);
    this.goal = 1n;
    this.way = 0;
    this.first = 0n; // seed of the first image of the grid
    this.weights = null; // of the large image, once somebody asks
    this.overlay = new Overlay(byId("overlay"), model);
  }

  async start() {
    const { height, width } = this.model;
    byId("stage").style.aspectRatio = String(width / height);
    this.listen();
    await this.draw();
    performance.mark("first image");
    this.fillGrid();
  }

  async draw() {
    this.say();
    const given = this.generator.mixed(this);
    const { pixels } = await this.generator.draw([given]);
    paint(byId("large"), pixels[0], this.model);
    this.current = given;
    this.weights = null;
    this.overlay.clear();
    if (this.query !== undefined && this.query !== null) this.attend(this.query);
  }

  // At the next frame, once, however often it is asked for before; what is asked for meanwhile,
  // after it.
  drawSoon() {
    this.isStale = true;
    if (this.isWaiting) return;
    this.isWaiting = true;
    requestAnimationFrame(async () => {
      try {
        while (this.isStale) {
          this.isStale = false;
          await this.draw();
        }
      } finally {
        this.isWaiting = false;
      }
    });
  }

  say() {
    const label = this.label ?? this.generator.classOf(this.generator.latent(this.seed), this.seed);
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
    const draw = async (at) => {
      const until = performance.now() + GRID_MILLISECONDS;
      while (turn === this.turn && at < this.model.gridSize) {
        await this.drawSmall(at++, turn);
        if (performance.now() >= until) return requestAnimationFrame(() => draw(at));
      }
    };
    draw(0);
  }

  async drawSmall(at, turn) {
    const seed = this.first + BigInt(at);
    const latent = this.generator.latent(seed);
    const label = this.label ?? this.generator.classOf(latent, seed);
    const { pixels } = await this.generator.draw([this.generator.noise(latent, label)]);
    if (turn !== this.turn) return;
    const button = byId("grid").children[at];
    paint(button.firstChild, pixels[0], this.model);
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
    const step = async (now) => {
      if (!this.isPlaying) return;
      let way = this.way + (forth * (now - (before ?? now))) / (1000 * PLAY_SECONDS);
      before = now;
      if (way >= 1 || way <= 0) forth = way >= 1 ? -1 : 1;
      way = Math.min(1, Math.max(0, way));
      this.way = way;
      byId("way").value = String(way);
      await this.draw();
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

function choices(select, named) {
  const options = named.map(([text, value]) => {
    const option = document.createElement("option");
    option.textContent = text;
    option.value = String(value);
    return option;
  });
  select.replaceChildren(...options);
}

// Starts the page, with what draws its images once it is told of the model.
async function begin(generatorOf) {
  if (!globalThis.document) return; // the scripts are also tested without a page
  const model = JSON.parse(byId("model").textContent);
  try {
    const application = new Application(model, await generatorOf(model));
    globalThis.orthogan = application; // for those who open the console
    await application.start();
  } catch (error) {
    const reason = error.message.slice(0, 300);
    byId("said").textContent = `This browser cannot draw the images: ${reason}`;
    console.error(error);
  }
}
