import { cpSync, mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { ClassicLevel } from 'classic-level'
import tape from 'tape'
import { intercept } from '../../../lib/store/intercept.ts'
import type { Store } from '../../../lib/store/store.ts'
import { DelayingGate } from './delaying-gate.ts'
import { bytes } from './store-setup.ts'

const timeout = { timeout: 30_000 }

async function open (location: string): Promise<{ db: ClassicLevel<Uint8Array, Uint8Array>, store: Store }> {
  const db = new ClassicLevel<Uint8Array, Uint8Array>(location, { keyEncoding: 'view', valueEncoding: 'view' })
  const gate = new DelayingGate()
  const { store } = intercept(db, gate)
  gate.store = store
  await db.open()
  return { db, store }
}

/** Which keys are there if the power is cut now, and takes all that LevelDB has in its log files. */
async function afterPowerCut (location: string): Promise<string[]> {
  const copy = `${location}-cut`
  cpSync(location, copy, { recursive: true, filter: file => !file.endsWith('.log') && !file.endsWith('LOCK') })
  const db = new ClassicLevel(copy)
  try {
    return await db.keys().all()
  } finally {
    await db.close()
    rmSync(copy, { recursive: true })
  }
}

tape('what was written to classic-level before a flush needs no log file any more', timeout, async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'flush-'))
  const location = join(folder, 'db')
  const { db, store } = await open(location)
  t.ok(store.flushes)
  await store.batch([{ type: 'put', key: bytes('a'), value: bytes('1') }], { sync: false })
  t.deepEqual(await afterPowerCut(location), [], 'before, it does')
  t.equal(await store.flush(), true)
  t.deepEqual(await afterPowerCut(location), ['a'])

  // Several log files, and writes that go on meanwhile.
  const large = new Uint8Array(1024 * 1024)
  const writes: Array<Promise<void>> = []
  for (let i = 10; i < 20; i++) await store.batch([{ type: 'put', key: bytes(`b${i}`), value: large }], { sync: false })
  const flush = store.flush()
  for (let i = 0; i < 10; i++) writes.push(store.batch([{ type: 'put', key: bytes(`c${i}`), value: large }], { sync: false }))
  await flush
  const kept = await afterPowerCut(location)
  t.deepEqual(kept.filter(key => !key.startsWith('c')), ['a', ...Array.from({ length: 10 }, (_, i) => `b${i + 10}`)])
  await Promise.all(writes)

  await store.batch([{ type: 'del', key: bytes('a') }], { sync: false })
  t.ok((await afterPowerCut(location)).includes('a'))
  await store.flush()
  t.notOk((await afterPowerCut(location)).includes('a'), 'a deletion is flushed, too')
  t.ok(readdirSync(location).some(file => file.endsWith('.ldb')))

  const closing = db.close()
  t.equal(await store.flush(), false, 'not when it closes')
  await closing
  rmSync(folder, { recursive: true })
})
