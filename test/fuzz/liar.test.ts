import tape from 'tape'
import { LogTail } from '../../lib/core/log-tail.ts'
import { AssertionError } from '../../lib/errors.ts'
import { coreLiar } from './liar.ts'

const timeout = { timeout: 60_000 }

tape('liar: whatever a member says, the cores of the others do not fail', timeout, async (t) => {
  const runs = 15
  for (let seed = 1; seed <= runs; seed++) {
    const finding = coreLiar(seed)
    if (finding !== null) t.fail(`${finding.how}: ${finding.problem}`)
  }
  t.pass(`${runs} runs`)
})

tape('liar: a core that fails is found', timeout, async (t) => {
  const { append } = LogTail.prototype
  t.teardown(() => { LogTail.prototype.append = append })
  LogTail.prototype.append = function (group) {
    if (group.epoch > 3) throw new AssertionError('planted')
    append.call(this, group)
  }
  const found = [1, 2, 3].map(seed => coreLiar(seed)?.problem ?? '')
  t.ok(found.some(problem => problem.includes('planted')))
})
