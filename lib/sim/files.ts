import type { Files, WritableFile } from '../store/files.ts'
import type { NameChange, SimDirectory } from './directory.ts'
import type { DiskCalls } from './disk-calls.ts'
import { SimFile } from './file.ts'

/**
 * Plain files on a simulated disk, for one process. They take no more care than `Files` promises: what is under way is done in part, a
 * file that is removed may be back after a power cut, and whoever breaks the rules gets an error.
 */
export class SimFiles implements Files {
  readonly #directory: SimDirectory
  readonly #calls: DiskCalls

  constructor (directory: SimDirectory, calls: DiskCalls) {
    this.#directory = directory
    this.#calls = calls
  }

  async list (): Promise<string[]> {
    await this.#read()
    return [...this.#directory.names.keys()]
  }

  async size (name: string): Promise<number> {
    await this.#read()
    return this.#file(name).memory.size
  }

  async read (name: string, position: number, length: number): Promise<Uint8Array> {
    await this.#read()
    const { memory } = this.#file(name)
    // What is written meanwhile may be there, or not.
    const half = this.#calls.random.below(length + 1)
    const first = memory.read(position, half)
    await this.#read()
    const rest = memory.read(position + half, length - half)
    const bytes = new Uint8Array(first.length + rest.length)
    bytes.set(first)
    bytes.set(rest, first.length)
    return bytes
  }

  async create (name: string, bytes: number): Promise<void> {
    if (this.#directory.names.has(name)) throw misuse('EEXIST', `${name} is there already`)
    const file = new SimFile({ size: 0, sectors: new Map() }, false)
    await this.#change((part) => {
      file.memory.size = Math.floor(bytes * part)
      return this.#directory.change({ file, from: null, to: name })
    }, (change) => {
      file.sync()
      // Nobody has promised anything of other files.
      this.#directory.settle(change, false)
    })
  }

  async rename (from: string, to: string): Promise<void> {
    const file = this.#file(from)
    if (this.#directory.names.has(to)) throw misuse('EEXIST', `${to} is there already`)
    await this.#change(() => this.#directory.change({ file, from, to }), (change) => { this.#directory.settle(change, true) })
  }

  async remove (name: string): Promise<void> {
    const file = this.#directory.names.get(name)
    if (file === undefined) return await this.#read()
    await this.#change<NameChange>(() => this.#directory.change({ file, from: name, to: null }), null)
  }

  async open (name: string): Promise<WritableFile> {
    await this.#read()
    return this.#open(name, this.#file(name))
  }

  async removeDirectory (): Promise<void> {
    await this.#read()
  }

  #open (name: string, file: SimFile): WritableFile {
    let state: 'idle' | 'busy' | 'closed' = 'idle'
    const alone = async (what: string, work: () => Promise<void>): Promise<void> => {
      if (state !== 'idle') throw misuse('EBADF', `${what} of ${name}, which is ${state}`)
      state = 'busy'
      try {
        await work()
      } finally {
        state = 'idle'
      }
    }
    return {
      write: (chunks, position) => alone('write', () => this.#write(name, file, chunks, position)),
      sync: () => alone('sync', async () => {
        try {
          await this.#calls.sync(() => { file.sync() })
        } catch (error) {
          file.failSync(this.#calls.random)
          throw error
        } finally {
          this.#directory.onChange?.()
        }
      }),
      close: async () => {
        await alone('close', () => this.#read())
        state = 'closed'
      }
    }
  }

  async #write (name: string, file: SimFile, chunks: readonly Uint8Array[], position: number): Promise<void> {
    const length = chunks.reduce((sum, chunk) => sum + chunk.length, 0)
    if (position + length > file.memory.size) throw misuse('EINVAL', `a write beyond the end of ${name}`)
    await this.#change((part) => {
      // Not before: they have to stay as they are until the write is done.
      file.write(position, joined(chunks, length).subarray(0, Math.ceil(length * part)))
    }, () => {
      file.settle(position, length)
      this.#directory.onChange?.()
    }, () => {
      file.failSync(this.#calls.random, position, length)
      this.#directory.onChange?.()
    })
  }

  async #read (): Promise<void> {
    await this.#calls.wait(this.#calls.behaviour.readMs)
    this.#calls.checkRead()
  }

  /** `fail`: what a sync that fails does beside. */
  async #change<T> (land: (part: number) => T, settle: ((landed: T) => void) | null, fail: () => void = () => {}): Promise<void> {
    const pending = this.#directory.begin(land)
    try {
      await this.#calls.wait(this.#calls.behaviour.writeMs)
      await this.#calls.write(() => pending.land(), settle)
    } catch (error) {
      if (!this.#calls.behaviour.full) pending.interrupt(this.#calls.random)
      fail()
      throw error
    } finally {
      this.#directory.end(pending)
    }
  }

  #file (name: string): SimFile {
    const file = this.#directory.names.get(name)
    if (file === undefined) throw misuse('ENOENT', `${name} is not there`)
    return file
  }
}

function joined (chunks: readonly Uint8Array[], length: number): Uint8Array {
  const bytes = new Uint8Array(length)
  let at = 0
  for (const chunk of chunks) {
    bytes.set(chunk, at)
    at += chunk.length
  }
  return bytes
}

/** What no disk is to blame for. */
function misuse (code: string, message: string): Error {
  return Object.assign(new Error(message), { code })
}
