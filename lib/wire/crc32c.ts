// CRC-32C (Castagnoli), as iSCSI and LevelDB use it, eight bytes a step ("slicing-by-8", Kounavis and Berry 2005).
const tables: Uint32Array[] = []

for (let t = 0; t < 8; t++) {
  const table = new Uint32Array(256)
  for (let i = 0; i < 256; i++) {
    let crc = t === 0 ? i : (tables[t - 1] as Uint32Array)[i] as number
    for (let bit = 0; bit < 8; bit++) crc = (crc & 1) !== 0 ? (crc >>> 1) ^ 0x82f63b78 : crc >>> 1
    table[i] = crc
  }
  tables.push(table)
}

const [t0, t1, t2, t3, t4, t5, t6, t7] = tables as [Uint32Array, Uint32Array, Uint32Array, Uint32Array, Uint32Array, Uint32Array, Uint32Array, Uint32Array]

/** The checksum of `bytes`, an unsigned 32-bit integer. Pass the checksum of what came before to go on from there. */
export function crc32c (bytes: Uint8Array, previous = 0): number {
  let crc = ~previous
  let i = 0

  for (const end = bytes.length - 7; i < end; i += 8) {
    const low = crc ^ ((bytes[i] as number) | (bytes[i + 1] as number) << 8 | (bytes[i + 2] as number) << 16 | (bytes[i + 3] as number) << 24)
    crc = (t7[low & 0xff] as number) ^ (t6[(low >>> 8) & 0xff] as number) ^ (t5[(low >>> 16) & 0xff] as number) ^ (t4[low >>> 24] as number) ^
      (t3[bytes[i + 4] as number] as number) ^ (t2[bytes[i + 5] as number] as number) ^ (t1[bytes[i + 6] as number] as number) ^ (t0[bytes[i + 7] as number] as number)
  }
  for (; i < bytes.length; i++) crc = (t0[(crc ^ (bytes[i] as number)) & 0xff] as number) ^ (crc >>> 8)

  return ~crc >>> 0
}
