import { readFileSync } from 'node:fs';
import { type AddressInfo, createServer } from 'node:net';
import { expect, test } from 'vitest';
import {
  loopbackAddress,
  ownedBy,
  ownerOf,
  parseListening,
  readListening,
} from '../../lib/attach/sockets.js';
import { IDLE, startNode } from './helpers.js';

const fixture = (name: string) => readFileSync(new URL(`fixtures/${name}`, import.meta.url), 'utf8');
const addresses = (text: string) =>
  parseListening(text, 'LE').map(({ address, port }) => `${address} ${port}`);

test('IPv4 listeners are found among established connections', () => {
  const found = addresses(fixture('tcp'));
  expect(found).toHaveLength(8);
  expect(found).toEqual(expect.arrayContaining(['127.0.0.1 38655', '0.0.0.0 45099', '127.0.0.53 37537']));
});

test('IPv6 listeners have the usual short notation', () => {
  expect(addresses(fixture('tcp6'))).toEqual(['::1 43849', '::ffff:7f00:1 33541', ':: 33509']);
});

test('the inode is the one that /proc/PID/fd names', () => {
  expect(parseListening(fixture('tcp'), 'LE')[0]).toEqual({
    address: '127.0.0.1',
    port: 38655,
    inode: '38356',
  });
});

test('a big-endian kernel prints the same addresses the other way round', () => {
  const text = fixture('tcp').replaceAll('0100007F:', '7F000001:');
  expect(parseListening(text, 'BE')[0]?.address).toBe('127.0.0.1');
});

test('torn and foreign lines are passed over', () => {
  for (const text of [
    '',
    '\n\n',
    'sl local_address',
    '0: 0100007F:96FF 0000',
    fixture('tcp').slice(0, 200),
  ]) {
    expect(parseListening(text)).toEqual([]);
  }
});

test('only loopback and wildcard addresses are reachable through the loopback interface', () => {
  const reachable = ['127.0.0.1', '0.0.0.0', '127.0.0.53', '::1', '::', '192.168.1.5', 'fe80::1'].map(
    (address) => loopbackAddress({ address }),
  );
  expect(reachable).toEqual(['127.0.0.1', '127.0.0.1', '127.0.0.53', '::1', '::1', undefined, undefined]);
});

test('a real listener belongs to the process that opened it and to no other', async () => {
  await using other = await startNode(IDLE);
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  const sockets = (await readListening(process.pid)).filter((socket) => socket.port === port);
  expect(sockets).toHaveLength(1);
  expect(await ownedBy(process.pid, sockets)).toEqual(sockets);
  expect(await ownedBy(other.pid, sockets)).toEqual([]);
  expect(await ownerOf(sockets[0]!)).toBe(process.pid);
  server.close();
});

test('a process that is gone listens nowhere', async () => {
  const gone = await startNode(IDLE);
  await gone[Symbol.asyncDispose]();
  expect(await readListening(gone.pid)).toEqual([]);
  expect(await ownedBy(gone.pid, [{ address: '127.0.0.1', port: 1, inode: '1' }])).toEqual([]);
});
