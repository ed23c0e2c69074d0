import test from 'tape'
import type { Core } from '../../../lib/core/core.ts'
import { describeWaiting } from '../../../lib/describe.ts'
import { joiningOf, viewOf } from '../../support/core-parts.ts'

const timeout = 30_000

test('a node that joins says where nobody is left to let it in', { timeout }, async (t) => {
  const waiting = (connected: string, members = ['a', 'b', 'c']): string => {
    const core = { self: 'd', observes: false, view: null, known: viewOf({ members }), joining: joiningOf(), connected: [...connected], agreement: { waitingFor: 'joining the cluster' } }
    return describeWaiting(core as unknown as Core, null)
  }
  t.equal(waiting('ab'), 'joining the cluster')
  t.match(waiting('ae'), /no majority is connected.*recover\(\)/)
  t.match(waiting('a', ['a', 'b']), /recover\(\)/)
})
