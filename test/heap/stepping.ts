/** Stops a heap's work between two of its stores. Import it before a heap is made: it takes Int32Array's place. */
const Plain = Int32Array;

/** What happens at the store that was chosen; it is not made. */
let atStore: (() => never) | undefined;
let left = 0;
let made = 0;
let seen: (() => void) | undefined;

function store(): void {
  made++;
  seen?.();
  const end = atStore;
  if (end === undefined || left-- > 0) return;
  atStore = undefined;
  end();
}

const handler: ProxyHandler<Int32Array> = {
  get(words, key) {
    const value: unknown = Reflect.get(words, key, words);
    return typeof value === 'function' ? value.bind(words) : value;
  },
  set(words, key, value) {
    store();
    return Reflect.set(words, key, value, words);
  },
};

/** From now on every Int32Array counts its single stores; a bulk one (fill, copyWithin) is content, and not counted. */
export function watchStores(): void {
  globalThis.Int32Array = new Proxy(Plain, {
    construct: (target, args) => new Proxy(Reflect.construct(target, args), handler),
  });
}

export function unwatchStores(): void {
  globalThis.Int32Array = Plain;
}

/** Called before each store. */
export function observeStores(observer: (() => void) | undefined): void {
  seen = observer;
}

/** How many stores `work` makes. */
export function storesOf(work: () => void): number {
  const before = made;
  work();
  return made - before;
}

/** Lets the next `count` stores pass, and ends at the one behind them. */
export function stopAfter(count: number, end: () => never): void {
  left = count;
  atStore = end;
}

export function goOn(): void {
  atStore = undefined;
}
