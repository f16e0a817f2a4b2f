/** One mapping by its address. */
import { native } from '../native.js';
import { codeOf, explainFailure, type ProcFile } from './errors.js';
import { isDeleted, type Mapping, parseMaps } from './maps.js';
import { type ProcessOptions, processFile, readWalkedFile } from './read.js';
import { formatDev, formatPerms } from './smaps_table.js';

/** Above the user's half of the address space only [vsyscall] is mapped, and only the text shows it. */
const KERNEL_HALF = 2n ** 63n;

/**
 * The mapping that `address` lies in; undefined when nothing is mapped there. Asks the kernel for just that one
 * (PROCMAP_QUERY, Linux 6.11), and scans the text of maps where it can't. Rejects like readMaps.
 */
export async function findMapping(
  address: bigint,
  options: ProcessOptions = {},
): Promise<Mapping | undefined> {
  checkAddress(address);
  const file = processFile('maps', options);
  const asText = options.root !== undefined || address >= KERNEL_HALF;
  return asText ? scan(file, address) : query(file, address);
}

async function query(file: ProcFile, address: bigint): Promise<Mapping | undefined> {
  try {
    const found = await native.promises.procmap_query(file.path, address);
    if (found === null) return undefined;
    const { permBits, dev, ...mapping } = found;
    return { ...mapping, perms: formatPerms(permBits), dev: formatDev(dev), deleted: isDeleted(found.path) };
  } catch (error) {
    if (codeOf(error) === 'ENOTTY') return scan(file, address);
    throw await explainFailure(error, file);
  }
}

async function scan(file: ProcFile, address: bigint): Promise<Mapping | undefined> {
  const mappings = parseMaps(await readWalkedFile(file), file.path);
  return mappings.find(({ start, end }) => start <= address && address < end);
}

function checkAddress(address: unknown): void {
  if (typeof address !== 'bigint') {
    const message = `The "address" argument must be an address, of type bigint. Received type ${typeof address}`;
    throw Object.assign(new TypeError(message), { code: 'ERR_INVALID_ARG_TYPE' });
  }
  if (address < 0n || address >= 2n ** 64n) {
    const message = `The value of "address" is out of range. It must be from 0n to 2n ** 64n - 1n. Received ${address}n`;
    throw Object.assign(new RangeError(message), { code: 'ERR_OUT_OF_RANGE' });
  }
}
