import type { Effect } from '../core/effects.ts'
import type { Operation } from '../wire/operations.ts'
import { appliedKey, encodeApplied, encodeRow, originKey } from './layout.ts'
import type { Store } from './store.ts'

/**
 * Applies committed entries to the data, in one atomic batch with all that is a function of the log up to there. Where
 * appends are synced, this is, too: the entries are in the log, but a store that changes log files of its own may lose
 * the end of the older one, and keep a later batch. See `spec/failure-model.md`, "Disks".
 */
export async function apply (store: Store, effect: Effect & { type: 'apply' }, sync: boolean): Promise<void> {
  const operations: Operation[] = []
  for (const group of effect.groups) {
    for (const entry of group.entries) {
      if (entry.kind === 'write') for (const op of entry.operations) operations.push(op as Operation)
    }
  }
  for (const [id, row] of effect.rows) {
    const key = originKey(id)
    operations.push(row === null ? { type: 'del', key } : { type: 'put', key, value: encodeRow(row) })
  }
  const { through: position, epoch, seeded } = effect
  operations.push({ type: 'put', key: appliedKey, value: encodeApplied({ position, epoch, seeded }) })
  await store.batch(operations, { sync })
}
