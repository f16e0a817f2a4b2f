/** What memprobe itself stands on: Node, the C library, the kernel, the addon, libnuma, glibc's malloc debugging. */
import { release } from 'node:os';
import process from 'node:process';
import { status } from '../malloc_debug.js';
import { addonPath, loadLibnuma, native } from '../native.js';
import { type Check, fine } from './check.js';

const NUMA = 'a kernel with CONFIG_NUMA; in a container, see what is said of mbind';

export function checkNode(): Check {
  return fine('node', 'Node', process.version, { version: process.version, arch: process.arch });
}

/** The addon: without it only the pure-TypeScript parts work. */
export function checkAddon(): Check {
  const values = { path: addonPath ?? null };
  if (addonPath !== undefined) return fine('addon', 'native addon', 'loads', values);
  return {
    id: 'addon',
    title: 'native addon',
    health: 'missing',
    found: whyNoAddon(),
    values,
    costs: 'memprobe/libc and explain throw ERR_MEMPROBE_UNSUPPORTED; the parsers of memprobe/procfs work',
    remedy:
      'Linux with glibc, such as the image node:22-bookworm; elsewhere on glibc build it; and let Node load addons',
  };
}

/** In the words of the error that every call throws then. */
function whyNoAddon(): string {
  try {
    native.libc.getpagesize();
    return '';
  } catch (error) {
    return reasonIn(error);
  }
}

function reasonIn(error: unknown): string {
  const message = error instanceof Error ? error.message : String(error);
  return message.replace(/^ERR_MEMPROBE_UNSUPPORTED: |, \w+$/g, '');
}

/** libnuma, and whether the kernel has NUMA to offer to it. */
export function checkLibnuma(): Check {
  const [id, title] = ['libnuma', 'libnuma'];
  const costs = 'memprobe/libnuma throws; the system calls (mbind, move_pages …) need no libnuma';
  try {
    const available = loadLibnuma().libnuma.numa_available() >= 0;
    const values = { loads: true, available };
    if (available) return fine(id, title, 'loads', values);
    const found = 'loads, but the kernel offers no NUMA (numa_available is -1)';
    return {
      id,
      title,
      health: 'missing',
      found,
      values,
      costs: 'memprobe/libnuma and policies throw',
      remedy: NUMA,
    };
  } catch (error) {
    const values = { loads: false, available: false };
    const remedy = 'apt-get install libnuma1, dnf install numactl-libs';
    return { id, title, health: 'missing', found: reasonIn(error), values, costs, remedy };
  }
}

/** The version of glibc; undefined on another C library. */
function glibcVersion(): string | undefined {
  const report = process.report.getReport();
  const header: unknown = typeof report === 'object' && 'header' in report ? report.header : undefined;
  if (typeof header !== 'object' || header === null || !('glibcVersionRuntime' in header)) return undefined;
  return String(header.glibcVersionRuntime);
}

export function checkGlibc(): Check {
  const version = glibcVersion();
  const values = { version: version ?? null };
  if (version !== undefined && Number(version.split('.')[1]) >= 33) {
    return fine('glibc', 'glibc', version, values);
  }
  return {
    id: 'glibc',
    title: 'glibc',
    health: version === undefined ? 'missing' : 'notice',
    found: version ?? 'this Node runs on another C library (musl?)',
    values,
    costs: version === undefined ? 'no native call works' : 'mallinfo2 throws; mallinfo overflows at 2 GiB',
    remedy: 'a distribution with glibc 2.33 or later: Debian 12, Ubuntu 22.04, RHEL 9',
  };
}

/** mtrace, mcheck and the hooks: whether they can act, and whether they do in this process. */
export function checkMallocDebug(): Check {
  const { active, library, reason } = status();
  const values = { active, library: library ?? null };
  const [id, title] = ['malloc_debug', 'malloc debugging'];
  if (active) return fine(id, title, 'active in this process', values);
  if (library !== undefined) return fine(id, title, 'available to memprobe run --malloc-debug', values);
  return {
    id,
    title,
    health: 'missing',
    found: reason ?? 'libc_malloc_debug.so.0 is not there',
    values,
    costs: 'mtrace, mcheck, the malloc hooks and memprobe leaks -- PROGRAM do nothing',
    remedy: 'apt-get install libc6 (Debian, Ubuntu), dnf install glibc-utils (Fedora, RHEL)',
  };
}

export function checkKernel(): Check {
  const values = { platform: process.platform, release: release() };
  if (process.platform === 'linux') return fine('kernel', 'Linux', release(), values);
  return {
    id: 'kernel',
    title: 'Linux',
    health: 'missing',
    found: `this is ${process.platform}`,
    values,
    costs: 'no native call works, and there is no /proc to read; the parsers and the log readers work',
    remedy: 'run it on Linux, for instance in a container',
  };
}
