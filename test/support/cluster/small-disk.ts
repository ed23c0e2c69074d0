import { execFile } from 'node:child_process'
import { mkdtemp, open, rm, rmdir, statfs } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import type { Lifetime } from './cluster.ts'

const run = promisify(execFile)

const CHUNK = new Uint8Array(65_536).fill(1)

/** A file system of its own, in memory, that is full soon. To mount it takes the rights of root. */
export class SmallDisk {
  /** The directory where it is. */
  readonly path: string
  readonly #ballast: string
  #frozen = false

  private constructor (path: string) {
    this.path = path
    this.#ballast = join(path, 'ballast')
  }

  /** It lasts as long as the test: make it after the cluster that uses it, which is destroyed first then. */
  static async create (t: Lifetime, megabytes: number): Promise<SmallDisk> {
    const path = await mkdtemp(join(tmpdir(), 'quorum-level-disk-'))
    await run('mount', ['-t', 'tmpfs', '-o', `size=${megabytes}m`, 'tmpfs', path])
    const disk = new SmallDisk(path)
    t.teardown(async () => {
      await disk.thaw()
      await run('umount', [path])
      await rmdir(path)
    })
    return disk
  }

  /** How many bytes are left. */
  async free (): Promise<number> {
    const { bavail, bsize } = await statfs(this.path)
    return bavail * bsize
  }

  /** Fills it up, but for so many bytes: with a file of its own, which grows where there is more room by now. */
  async fill (left: number): Promise<void> {
    const file = await open(this.#ballast, 'a')
    try {
      for (let room = await this.free() - left; room > 0; room = await this.free() - left) {
        await file.write(CHUNK, 0, Math.min(CHUNK.length, room))
      }
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOSPC') throw error
    } finally {
      await file.close()
    }
  }

  /** Takes the file away again. */
  async relieve (): Promise<void> {
    await rm(this.#ballast, { force: true })
  }

  /** From now on, whoever opens a file, makes one or removes one, finds it read-only. What is open can still be written. */
  async freeze (): Promise<void> {
    // The same files once more, in front of those that processes have open.
    await run('mount', ['--bind', this.path, this.path])
    this.#frozen = true
    await run('mount', ['-o', 'remount,bind,ro', this.path])
  }

  async thaw (): Promise<void> {
    if (!this.#frozen) return
    // Some of it may still be open for reading.
    await run('umount', ['--lazy', this.path])
    this.#frozen = false
  }

  /** Refused as long as anybody has a file open for writing. */
  async remount (how: 'ro' | 'rw'): Promise<void> {
    await run('mount', ['-o', `remount,${how}`, this.path])
  }
}
