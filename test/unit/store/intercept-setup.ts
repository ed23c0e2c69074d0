import type { ReplicatorError } from '../../../lib/errors.ts'
import { RESERVED } from '../../../lib/store/keys.ts'

export function reservedKey (...suffix: number[]): Uint8Array {
  return new Uint8Array([...RESERVED, ...suffix])
}

/** The code with which `fn` fails, also if synchronously. */
export async function codeOf (fn: () => unknown): Promise<string | undefined> {
  const [code] = await outcomeOf(fn)
  return code
}

export async function outcomeOf (fn: () => unknown): Promise<[code?: string, outcome?: string | undefined]> {
  try {
    await fn()
    return []
  } catch (error) {
    const { code, outcome } = error as ReplicatorError
    return [code, outcome]
  }
}
