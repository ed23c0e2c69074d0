import type { Level, Wrap } from './suite.ts'
import type { DelayingGateOptions } from '../unit/store/delaying-gate.ts'
import { intercept } from '../../lib/store/intercept.ts'
import { DelayingGate } from '../unit/store/delaying-gate.ts'

/** Only the interception, with a gate that applies each write by itself, a turn later. */
export function wrapWithDelayingGate (options: DelayingGateOptions): Wrap {
  return (db: Level) => {
    const gate = new DelayingGate(options)
    gate.store = intercept(db, gate).store
    return db
  }
}
