/**
 * A virtual address. It is a bigint because a JavaScript number silently loses bits in `addr & ~(pageSize - 1)`, and
 * because page-aligned 64-bit addresses such as vsyscall's 0xffffffffff600000 do not fit one.
 */
export type Address = bigint;

/** C's null pointer. */
export const NULL: Address = 0n;
