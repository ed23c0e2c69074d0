import fs from 'node:fs'
import path from 'node:path'
import type { Files, WritableFile } from './store/files.ts'

/** Zeros are written so many bytes at a time. */
const ZEROS_BYTES = 1 << 20
/** Chunks up to this size are copied together: a call for each of them, or a vector of them, takes longer than that. */
const SMALL_BYTES = 16_384
/** So much is copied into a buffer that is kept. */
const POOL_BYTES = 65_536
/** No system takes more buffers at once (IOV_MAX). */
const BUFFERS_MAX = 1024

// In a browser, `lib/browser/node-files.ts` takes the place of this file.

/** A directory of the file system. It need not be there yet. */
export async function nodeFiles (directory: string): Promise<Files> {
  return new NodeFiles(path.resolve(directory))
}

class NodeFiles implements Files {
  readonly #directory: string

  constructor (directory: string) {
    this.#directory = directory
  }

  async list (): Promise<string[]> {
    return await unless(['ENOENT'], fs.promises.readdir(this.#directory)) ?? []
  }

  async size (name: string): Promise<number> {
    return (await fs.promises.stat(this.#at(name))).size
  }

  async read (name: string, position: number, length: number): Promise<Uint8Array> {
    const handle = await fs.promises.open(this.#at(name), 'r')
    try {
      const bytes = new Uint8Array(length)
      let read = 0
      for (let got = 1; got > 0 && read < length; read += got) {
        got = (await handle.read(bytes, read, length - read, position + read)).bytesRead
      }
      return bytes.subarray(0, read)
    } finally {
      await handle.close()
    }
  }

  async create (name: string, bytes: number): Promise<void> {
    await this.#makeDirectory()
    const handle = await fs.promises.open(this.#at(name), 'w')
    try {
      const zeros = new Uint8Array(Math.min(bytes, ZEROS_BYTES))
      for (let at = 0; at < bytes;) at += (await handle.write(zeros, 0, Math.min(zeros.length, bytes - at), at)).bytesWritten
      await handle.sync()
    } catch (error) {
      // Where it was too much for the disk, it had better not stay there.
      await this.remove(name).catch(() => {})
      throw named(error, this.#at(name))
    } finally {
      await handle.close()
    }
    await this.#syncDirectory(this.#directory)
  }

  async rename (from: string, to: string): Promise<void> {
    await fs.promises.rename(this.#at(from), this.#at(to))
    await this.#syncDirectory(this.#directory)
  }

  async remove (name: string): Promise<void> {
    await unless(['ENOENT'], fs.promises.unlink(this.#at(name)))
  }

  async open (name: string): Promise<WritableFile> {
    const { constants } = fs
    // Apple's O_DSYNC leaves the data in the cache of the drive, its fdatasync, as Node.js calls it, does not.
    const dsync: number = process.platform === 'darwin' ? 0 : constants.O_DSYNC ?? 0
    const fd = await new Promise<number>((resolve, reject) => {
      fs.open(this.#at(name), constants.O_WRONLY | dsync, (error, fd) => { settle(error, fd, resolve, reject) })
    })
    return new NodeFile(fd, this.#at(name), dsync !== 0)
  }

  async removeDirectory (): Promise<void> {
    await unless(['ENOENT', 'ENOTEMPTY', 'EEXIST'], fs.promises.rmdir(this.#directory))
  }

  #at (name: string): string {
    return path.join(this.#directory, name)
  }

  /** A new directory has to be on stable storage in its parent, and that in its own. */
  async #makeDirectory (): Promise<void> {
    const first = await fs.promises.mkdir(this.#directory, { recursive: true })
    if (first === undefined) return
    for (let made = this.#directory; made.length >= first.length; made = path.dirname(made)) {
      await this.#syncDirectory(path.dirname(made))
    }
  }

  /** Windows opens no directories, and journals what changes in them. */
  async #syncDirectory (directory: string): Promise<void> {
    if (process.platform === 'win32') return
    const handle = await fs.promises.open(directory, 'r')
    try {
      await handle.sync()
    } catch (error) {
      throw named(error, directory)
    } finally {
      await handle.close()
    }
  }
}

/** On the plain descriptor: a FileHandle takes several times as long for a small write. */
class NodeFile implements WritableFile {
  readonly #fd: number
  readonly #path: string
  /** Whether each write is on stable storage when it is done, without a second call. */
  readonly #dsync: boolean
  #pool: Uint8Array | null = null

  constructor (fd: number, path: string, dsync: boolean) {
    this.#fd = fd
    this.#path = path
    this.#dsync = dsync
  }

  async write (chunks: readonly Uint8Array[], position: number): Promise<void> {
    const buffers = this.#gather(chunks)
    for (let at = 0; at < buffers.length; at += BUFFERS_MAX) {
      position = await this.#writeAll(buffers.slice(at, at + BUFFERS_MAX), position)
    }
    if (!this.#dsync) await new Promise<void>((resolve, reject) => { fs.fdatasync(this.#fd, (error) => { this.#settle(error, undefined, resolve, reject) }) })
  }

  async sync (): Promise<void> {
    await new Promise<void>((resolve, reject) => { fs.fsync(this.#fd, (error) => { this.#settle(error, undefined, resolve, reject) }) })
  }

  async close (): Promise<void> {
    await new Promise<void>((resolve, reject) => { fs.close(this.#fd, (error) => { this.#settle(error, undefined, resolve, reject) }) })
  }

  /** The same bytes, with neighbours that are small copied into one buffer. */
  #gather (chunks: readonly Uint8Array[]): Uint8Array[] {
    let small = 0
    for (const { length } of chunks) if (length <= SMALL_BYTES) small += length
    const copy = small <= POOL_BYTES ? (this.#pool ??= new Uint8Array(POOL_BYTES)) : new Uint8Array(small)

    const buffers: Uint8Array[] = []
    let start = 0
    let end = 0
    for (const chunk of chunks) {
      if (chunk.length <= SMALL_BYTES) {
        copy.set(chunk, end)
        end += chunk.length
        continue
      }
      if (end > start) buffers.push(copy.subarray(start, end))
      start = end
      buffers.push(chunk)
    }
    if (end > start) buffers.push(copy.subarray(start, end))
    return buffers
  }

  /** Resolves with where the next byte belongs. A write may take less than it was given. */
  async #writeAll (buffers: Uint8Array[], position: number): Promise<number> {
    while (buffers.length > 0) {
      let written = await this.#writeSome(buffers, position)
      position += written
      for (let first = buffers[0]; first !== undefined && written >= first.length; first = buffers[0]) {
        written -= first.length
        buffers.shift()
      }
      if (written > 0) buffers[0] = (buffers[0] as Uint8Array).subarray(written)
    }
    return position
  }

  #settle<T> (error: Error | null, value: T, resolve: (value: T) => void, reject: (error: Error) => void): void {
    settle(error === null ? null : named(error, this.#path) as Error, value, resolve, reject)
  }

  #writeSome (buffers: readonly Uint8Array[], position: number): Promise<number> {
    return new Promise((resolve, reject) => {
      const [first] = buffers
      if (buffers.length === 1 && first !== undefined) {
        fs.write(this.#fd, first, 0, first.length, position, (error, written) => { this.#settle(error, written, resolve, reject) })
      } else {
        fs.writev(this.#fd, buffers, position, (error, written) => { this.#settle(error, written, resolve, reject) })
      }
    })
  }
}

/** The system does not say of which file it speaks where it was given a descriptor. */
function named (error: unknown, path: string): unknown {
  const failed = error as NodeJS.ErrnoException
  if (failed instanceof Error && failed.path === undefined) {
    failed.path = path
    failed.message += ` '${path}'`
  }
  return failed
}

function settle<T> (error: Error | null, value: T, resolve: (value: T) => void, reject: (error: Error) => void): void {
  if (error === null) resolve(value)
  else reject(error)
}

/** Undefined instead of one of these errors. */
async function unless<T> (codes: readonly string[], promise: Promise<T>): Promise<T | undefined> {
  try {
    return await promise
  } catch (error) {
    if (codes.includes((error as NodeJS.ErrnoException).code ?? '')) return undefined
    throw error
  }
}
