/** What a process takes up. Needs `--expose-gc`. */
import { readFileSync } from 'node:fs'
import { setTimeout as delay } from 'node:timers/promises'

export interface Memory {
  rssBytes: number
  /** Of that, what no file stands behind. LevelDB maps its tables into memory, as far as the system likes. */
  anonymousBytes: number
}

export interface Footprint extends Memory {
  /** The heap of JavaScript and what hangs on it, garbage left out. */
  heapBytes: number
}

export interface FootprintMethods {
  /** After garbage has been collected. */
  footprint (): Footprint
  /** User and system time of the process in that time, in microseconds per second. */
  cpuWhileIdle (ms: number): Promise<number>
  /** Looks at the memory again and again from now on. */
  watchMemory (): void
  /** By how many bytes it has grown meanwhile, at its highest. */
  memoryGrowth (): Memory
}

const watchEveryMs = 20

export function footprintMethods (): FootprintMethods {
  let growth: Memory = { rssBytes: 0, anonymousBytes: 0 }
  let timer: NodeJS.Timeout | undefined
  return {
    footprint () {
      // What the first one finalizes, the second one collects.
      globalThis.gc!()
      globalThis.gc!()
      const { heapUsed, external } = process.memoryUsage()
      return { ...memory(), heapBytes: heapUsed + external }
    },
    async cpuWhileIdle (ms) {
      const before = process.cpuUsage()
      const begun = performance.now()
      await delay(ms)
      const { user, system } = process.cpuUsage(before)
      return (user + system) / (performance.now() - begun) * 1000
    },
    watchMemory () {
      const before = memory()
      growth = { rssBytes: 0, anonymousBytes: 0 }
      clearInterval(timer)
      timer = setInterval(() => {
        const now = memory()
        growth = {
          rssBytes: Math.max(growth.rssBytes, now.rssBytes - before.rssBytes),
          anonymousBytes: Math.max(growth.anonymousBytes, now.anonymousBytes - before.anonymousBytes)
        }
      }, watchEveryMs)
    },
    memoryGrowth () {
      clearInterval(timer)
      return growth
    }
  }
}

function memory (): Memory {
  const rssBytes = process.memoryUsage.rss()
  // Other systems do not tell: there it is all of it.
  if (process.platform !== 'linux') return { rssBytes, anonymousBytes: rssBytes }
  const [, kilobytes] = /^RssAnon:\s+(\d+) kB/m.exec(readFileSync('/proc/self/status', 'utf8')) ?? []
  return { rssBytes, anonymousBytes: Number(kilobytes) * 1024 }
}
