import { WireError } from './bytes.ts'

const DIGITS = Array.from({ length: 256 }, (_, byte) => byte.toString(16).padStart(2, '0'))

export function toHex (bytes: Uint8Array): string {
  let text = ''
  for (const byte of bytes) text += DIGITS[byte]
  return text
}

/** The inverse for lower-case digits. Throws a WireError on anything else. */
export function fromHex (text: string): Uint8Array {
  if (text.length % 2 !== 0 || !/^[0-9a-f]*$/.test(text)) throw new WireError('invalid hex')
  const bytes = new Uint8Array(text.length / 2)
  for (let i = 0; i < bytes.length; i++) bytes[i] = digitAt(text, 2 * i) << 4 | digitAt(text, 2 * i + 1)
  return bytes
}

function digitAt (text: string, i: number): number {
  const code = text.charCodeAt(i)
  return code <= 57 ? code - 48 : code - 87
}
