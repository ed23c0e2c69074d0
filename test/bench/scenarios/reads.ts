import { join } from 'node:path'
import { Cluster } from '../cluster.ts'
import type { LoadSpec } from '../processes/load.ts'
import type { ReadKind } from '../processes/reads.ts'
import { median } from '../report/statistics.ts'
import type { Row, Scenario } from '../scenario.ts'

interface Read {
  name: string
  kind: ReadKind
  concurrency: number
}

const kinds: Read[] = [
  { name: 'get, c=1', kind: 'get', concurrency: 1 },
  { name: 'get, c=16', kind: 'get', concurrency: 16 },
  { name: 'getMany of 10, c=1', kind: 'getMany', concurrency: 1 },
  { name: 'getMany of 10, c=16', kind: 'getMany', concurrency: 16 },
  { name: 'getSync', kind: 'getSync', concurrency: 1 },
  { name: 'range of 100, c=1', kind: 'range', concurrency: 1 },
  { name: 'range of 100, c=16', kind: 'range', concurrency: 16 }
]

const load: LoadSpec = { concurrency: 256, valueBytes: 100, perSecond: 10_000 }

/** What is compared. */
interface Side {
  startLoad (): Promise<void>
  /** Resolves with the number of entries written. */
  stopLoad (): Promise<number>
  /** Resolves with the microseconds that such a read takes. */
  read (read: Read): Promise<number>
}

/** Each kind of read once. */
interface Turn {
  micros: number[]
  /** Only under load. */
  writesPerSecond: number
}

async function takeTurn ({ startLoad, stopLoad, read }: Side, underLoad: boolean): Promise<Turn> {
  const micros: number[] = []
  if (underLoad) await startLoad()
  const begun = performance.now()
  for (const kind of kinds) micros.push(await read(kind))
  const written = underLoad ? await stopLoad() : 0
  return { micros, writesPerSecond: written / (performance.now() - begun) * 1000 }
}

export const reads: Scenario = {
  name: 'reads',
  title: 'Reads',
  about: 'On a participant, microseconds per read: of the wrapped store, and of an unwrapped one with the same contents in the same process, in turn. ' +
    'Under load: 10,000 puts/s on other keys, on the coordinator; for the unwrapped store, as many in its own process, synced in groups.',
  columns: [
    { key: 'bareMicros', title: 'bare µs', digits: 1 },
    { key: 'wrappedMicros', title: 'wrapped µs', digits: 1 },
    { key: 'ratio', title: 'wrapped / bare', digits: 2, range: true },
    { key: 'bareWrites', title: 'bare writes/s', digits: 0 },
    { key: 'wrappedWrites', title: 'wrapped writes/s', digits: 0 }
  ],
  async measure (bench) {
    const { readEntries, readMs, readTurns } = bench.settings
    const contents = { entries: readEntries, valueBytes: 100, numbered: true }
    return await Cluster.use(bench, {}, async (cluster) => {
      const { coordinator, participant } = cluster
      bench.note('warming up, and filling the stores')
      await cluster.warmUp()
      await cluster.fill(participant, contents)
      await participant.call('openBare', join(bench.folder, 'bare'), contents)
      await participant.call('compact')

      const read = (which: 'bare' | 'wrapped') => async ({ kind, concurrency }: Read): Promise<number> =>
        await participant.call('timeReads', which, { kind, concurrency, entries: readEntries, ms: readMs })
      const bare: Side = {
        startLoad: () => participant.call('startBareLoad', load),
        stopLoad: () => participant.call('stopBareLoad'),
        read: read('bare')
      }
      const wrapped: Side = {
        startLoad: () => cluster.startLoad([coordinator], load),
        stopLoad: () => cluster.stopLoad([coordinator]),
        read: read('wrapped')
      }

      const rows: Row[] = []
      for (const when of ['quiet', 'under load']) {
        const turns: Array<[bare: Turn, wrapped: Turn]> = []
        for (let i = 0; i <= readTurns; i++) {
          bench.note(`${when}, turn ${i} of ${readTurns}`)
          turns.push([await takeTurn(bare, when !== 'quiet'), await takeTurn(wrapped, when !== 'quiet')])
        }
        // The first one was for warming up.
        rows.push(...rowsOf(when, turns.slice(1)))
      }
      await cluster.verify()
      return rows
    })
  }
}

function rowsOf (when: string, turns: ReadonlyArray<readonly [bare: Turn, wrapped: Turn]>): Row[] {
  const medianOf = (figure: (bare: Turn, wrapped: Turn) => number): number => median(turns.map(([bare, wrapped]) => figure(bare, wrapped)))
  return kinds.map(({ name }, i) => ({
    name: `${name}, ${when}`,
    values: {
      bareMicros: medianOf((bare) => bare.micros[i]!),
      wrappedMicros: medianOf((_, wrapped) => wrapped.micros[i]!),
      // Of neighbours in time: what disturbs both is not counted.
      ratio: medianOf((bare, wrapped) => wrapped.micros[i]! / bare.micros[i]!),
      ...(when === 'quiet'
        ? {}
        : { bareWrites: medianOf((bare) => bare.writesPerSecond), wrappedWrites: medianOf((_, wrapped) => wrapped.writesPerSecond) })
    }
  }))
}
