import { AssertionError, codes } from '../../lib/errors.ts'
import type { SimMachine } from '../../lib/sim/index.ts'

/** What a node says of a disk that does not hold what was once durable. */
const damages: ReadonlySet<string> = new Set([codes.logTorn, codes.logCorrupt, codes.logFormat])
/** What no node says of a cluster in which nothing has gone wrong but what the failure model allows. */
const forbidden: ReadonlySet<string> = new Set([...damages, codes.internal, codes.diverged, codes.staleIdentity])

/** Codes of errors that no disk is to blame for: a rule of files is broken. */
const misuses: ReadonlySet<string> = new Set(['EBADF', 'EEXIST', 'EINVAL', 'ENOENT'])

export function isDamage (error: unknown): boolean {
  return damages.has(codeOf(error))
}

/** Whatever a node reports that is not the fault of its disk or network, also if no client is told. */
export class NodeErrors {
  readonly problems: string[] = []

  /** `isRefused`: some run on old disks, which the others say. Who fails of that is another matter. */
  watch (machine: SimMachine, isRefused = false): void {
    machine.onError = (error) => {
      if (isRefused && codeOf(error) === codes.staleIdentity) return
      const { cause } = error as { cause?: unknown }
      const isMistake = cause instanceof AssertionError || misuses.has(codeOf(cause))
      if (!isMistake && (!forbidden.has(codeOf(error)) || (machine.disk.torn && isDamage(error)))) return
      this.problems.push(`${machine.name} reports ${codeOf(error)}: ${error.message} ${cause instanceof Error ? cause.stack ?? '' : ''}`)
    }
  }
}

function codeOf (error: unknown): string {
  const { code } = (error ?? {}) as { code?: unknown }
  return typeof code === 'string' ? code : ''
}
