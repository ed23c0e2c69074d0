import type { Group } from '../core/entry.ts'
import type { Environment } from '../env.ts'
import { toHex } from '../wire/hex.ts'
import type { FileLog } from './file-log.ts'
import { encodeLogFile, logFileKey } from './layout.ts'
import type { LogMedium, LogWrite } from './log-medium.ts'
import type { Store } from './store.ts'

/** The log in files, and the records beside it in the store: one after the other. */
export class FileMedium implements LogMedium {
  readonly atomic = false
  readonly untidy = false
  readonly #store: Store
  readonly #log: FileLog
  readonly #env: Pick<Environment, 'randomBytes'>

  constructor (store: Store, log: FileLog, env: Pick<Environment, 'randomBytes'>) {
    this.#store = store
    this.#log = log
    this.#env = env
  }

  async write ({ begin, cut, groups, operations, truncate, sync }: LogWrite): Promise<void> {
    const log = this.#log
    if (begin !== null) {
      const id = toHex(this.#env.randomBytes(8))
      await log.begin(id, begin)
      // As long as this is not durable, the log is the old one, which is still there.
      await this.#store.batch([...operations, { type: 'put', key: logFileKey, value: encodeLogFile(id) }], { sync: true })
      log.forget()
    }
    if (cut !== null) await log.cut(cut)
    await log.append(groups)
    if (begin === null && operations.length > 0) await this.#store.batch(operations, { sync })
    if (truncate !== null) await log.truncate(truncate.position)
  }

  async tidy (): Promise<void> {}
  read (from: number, bytesMax: number): Promise<Group[]> { return this.#log.read(from, bytesMax) }
}
