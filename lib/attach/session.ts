import { get } from 'node:http';
import { WebSocket } from 'ws';
import type { Deadline } from './deadline.js';
import { AttachError } from './errors.js';

/** Where an inspector listens: a loopback address, and the path that names the target. */
export interface Endpoint {
  readonly address: string;
  readonly port: number;
  /** Random, told by `/json/list` only: a connection to anything else would be refused. */
  readonly path: string;
}

/** One message of the protocol: an answer has an `id`, an event a `method`. */
interface Message {
  readonly id?: number;
  readonly method?: string;
  readonly result?: Answer;
  readonly error?: { readonly message?: string };
}

/** What the Runtime methods answer. */
export interface Answer {
  readonly result?: RemoteObject;
  readonly exceptionDetails?: { readonly text?: string; readonly exception?: RemoteObject };
}

/** A JavaScript value over there. */
export interface RemoteObject {
  readonly type?: string;
  readonly subtype?: string;
  readonly value?: unknown;
  readonly unserializableValue?: string;
  readonly objectId?: string;
  readonly description?: string;
}

interface Pending {
  resolve(answer: Answer): void;
  reject(reason: unknown): void;
}

const LIST_BYTES = 1 << 20;
/** How long this process waits, in milliseconds, for the other side to say goodbye too. */
const CLOSE_TIMEOUT = 500;

/**
 * The inspector's path, if it is an inspector that answers there; undefined if something else does. Rejects where
 * nothing answers within `timeout` milliseconds.
 */
export function findPath(address: string, port: number, timeout: number): Promise<string | undefined> {
  return new Promise((resolve, reject) => {
    // `agent: false`: neither a proxy nor a connection that is kept alive.
    const options = {
      host: address,
      port,
      path: '/json/list',
      agent: false,
      signal: AbortSignal.timeout(timeout),
    };
    const request = get(options, (response) => {
      let text = '';
      response.setEncoding('utf8').on('error', reject);
      response.on('data', (chunk: string) => {
        text += chunk;
        if (text.length > LIST_BYTES) response.destroy();
      });
      response.on('close', () => resolve(pathIn(text)));
    });
    // Not even HTTP: node:http hands over what it could not parse.
    request.on('error', (error) => ('rawPacket' in error ? resolve(undefined) : reject(error)));
  });
}

/** Takes the path alone from the answer: where to connect is not for the other side to say. */
function pathIn(text: string): string | undefined {
  try {
    const list: unknown = JSON.parse(text);
    const target: unknown = Array.isArray(list) ? list.find(isNodeTarget) : undefined;
    return isNodeTarget(target) ? `/${target.id}` : undefined;
  } catch {
    return undefined;
  }
}

function isNodeTarget(value: unknown): value is { id: string } {
  if (typeof value !== 'object' || value === null) return false;
  if (!('type' in value && value.type === 'node' && 'id' in value && 'webSocketDebuggerUrl' in value))
    return false;
  return typeof value.id === 'string' && /^[0-9a-f-]{36}$/.test(value.id);
}

/** A connection to an inspector. Requests of several callers may overlap. */
export class Session {
  readonly #webSocket: WebSocket;
  readonly #pending = new Map<number, Pending>();
  #lastId = 0;

  private constructor(webSocket: WebSocket) {
    this.#webSocket = webSocket;
    webSocket.on('message', (data) => this.#receive(String(data)));
    webSocket.on('close', () => this.rejectAll(lost()));
  }

  static connect({ address, port, path }: Endpoint, deadline: Deadline): Promise<Session> {
    const host = address.includes(':') ? `[${address}]` : address;
    const options = {
      perMessageDeflate: false,
      handshakeTimeout: deadline.left,
      closeTimeout: CLOSE_TIMEOUT,
    };
    const webSocket = new WebSocket(`ws://${host}:${port}${path}`, options);
    const session = new Session(webSocket);
    return new Promise((resolve, reject) => {
      webSocket.on('open', () => {
        // A process that ends waits for its debuggers to leave: it must not wait for us.
        session.post('NodeRuntime.notifyWhenWaitingForDisconnect', { enabled: true });
        resolve(session);
      });
      webSocket.on('error', (cause) =>
        reject(new AttachError('LOST', `No connection: ${cause.message}.`, { cause })),
      );
    });
  }

  get isOpen(): boolean {
    return this.#webSocket.readyState === WebSocket.OPEN;
  }

  /** Sends a request whose answer nobody wants. */
  post(method: string, params: object): void {
    this.#lastId += 1;
    if (this.isOpen) this.#webSocket.send(JSON.stringify({ id: this.#lastId, method, params }));
  }

  /** Sends a request and waits for its answer, at most until the deadline. */
  async request(method: string, params: object, deadline: Deadline): Promise<Answer> {
    if (!this.isOpen) throw lost();
    this.post(method, params);
    const id = this.#lastId;
    const giveUp = () => this.#pending.get(id)?.reject(new AttachError('TIMEOUT', `No answer to ${method}.`));
    const timer = setTimeout(giveUp, deadline.left);
    try {
      return await new Promise<Answer>((resolve, reject) => this.#pending.set(id, { resolve, reject }));
    } finally {
      clearTimeout(timer);
      this.#pending.delete(id);
    }
  }

  /** Fails every request that is under way. */
  rejectAll(reason: unknown): void {
    for (const { reject } of this.#pending.values()) reject(reason);
    this.#pending.clear();
  }

  /** Leaves. What was sent still arrives, even at a process that is stopped at the moment. */
  end(): void {
    this.#webSocket.close();
  }

  #receive(text: string): void {
    const { id, method, result, error }: Message = JSON.parse(text);
    if (method === 'NodeRuntime.waitingForDisconnect') this.end();
    if (id === undefined) return;
    const pending = this.#pending.get(id);
    if (result) pending?.resolve(result);
    else pending?.reject(new AttachError('PROTOCOL', `The inspector refused: ${error?.message ?? text}`));
  }
}

function lost(): AttachError {
  return new AttachError('LOST', 'The connection to the inspector was lost.');
}
