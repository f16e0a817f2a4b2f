import type { Deadline } from './deadline.js';
import { AttachError } from './errors.js';
import type { Answer, RemoteObject, Session } from './session.js';

const GROUP = 'memprobe';

/**
 * Evaluates in the target's main thread and brings the value here. The value comes in a second step because the
 * protocol's `awaitPromise` waits for microtasks even where there is no promise: a busy loop would never answer.
 */
export async function evaluate(session: Session, source: string, deadline: Deadline): Promise<unknown> {
  // Silent and without breaks: a debugger that is attached as well must not notice.
  const how = { includeCommandLineAPI: true, silent: true, disableBreaks: true, objectGroup: GROUP };
  const params = { expression: harmless(source), ...how };
  const object = resultOf(await session.request('Runtime.evaluate', params, deadline));
  if (object.objectId === undefined) return primitive(object);
  try {
    return primitive(await settle(session, object, deadline));
  } finally {
    session.post('Runtime.releaseObjectGroup', { objectGroup: GROUP });
  }
}

/**
 * The source such that it can't harm the process: a promise gets a handler at once, since a rejection that nobody
 * handles ends a Node process; and eval keeps declarations out of the program's global scope.
 */
function harmless(source: string): string {
  return `((value) => {
    if (typeof value?.then !== 'function') return value;
    const promise = (async () => value)();
    promise.catch(() => {});
    return promise;
  })((() => eval(${JSON.stringify(source)}))())`;
}

async function settle(session: Session, object: RemoteObject, deadline: Deadline): Promise<RemoteObject> {
  if (object.subtype === 'promise') {
    const params = { promiseObjectId: object.objectId, returnByValue: true };
    return resultOf(await session.request('Runtime.awaitPromise', params, deadline));
  }
  const functionDeclaration = 'function () { return this }';
  const params = { objectId: object.objectId, functionDeclaration, returnByValue: true, silent: true };
  return resultOf(await session.request('Runtime.callFunctionOn', params, deadline));
}

function resultOf({ result, exceptionDetails }: Answer): RemoteObject {
  if (exceptionDetails) throw remoteError(exceptionDetails);
  if (!result) throw new AttachError('PROTOCOL', 'The inspector answered without a result.');
  return result;
}

/** The other side's message is ours; its stack stays with the cause. */
function remoteError({ text, exception }: NonNullable<Answer['exceptionDetails']>): AttachError {
  const description = exception?.description ?? String(exception?.value ?? text);
  const [message = ''] = description.split(/\n {4}at /);
  return new AttachError('REMOTE', `In the other process: ${message}`, { cause: description });
}

/** BigInts and the numbers that JSON lacks come as the text of a literal. */
function primitive({ value, unserializableValue }: RemoteObject): unknown {
  if (unserializableValue === undefined) return value;
  const isBigInt = unserializableValue.endsWith('n');
  return isBigInt ? BigInt(unserializableValue.slice(0, -1)) : Number(unserializableValue);
}
