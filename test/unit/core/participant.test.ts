import tape from 'tape'
import { ready } from '../../transcript/survive.ts'

tape('a member that applies slowly holds the others up, and does not gather what it cannot apply', { timeout: 30_000 }, async (t) => {
  const tailBytesMax = 1000
  const cluster = ready('abc', { minConsensus: 2, tailBytesMax, groupBytesMax: 100 })
  const { core } = cluster.node('c')
  const writes = Array.from({ length: 200 }, (_, i) => cluster.write('a', `k${i}`, `${i}`.padStart(50)))
  const decided = (): number => writes.filter(({ settlement }) => settlement !== null).length

  let applies = 0
  let most = 0
  let before = 0
  for (; applies < 1000 && decided() < writes.length; applies++) {
    before = decided()
    // Everything else that can happen does.
    cluster.run(
      () => cluster.steps().every(({ label }) => label === 'c applies'),
      steps => steps.find(({ label }) => label !== 'c applies') ?? steps[0]!)
    most = Math.max(most, core!.tail.bytes)
    cluster.steps()[0]?.run()
  }
  t.ok(most > tailBytesMax && most < 3 * tailBytesMax, `its log in memory took up to ${most} bytes, of ${tailBytesMax} that are to be exceeded by what is under way only`)
  t.ok(applies > 5 && before < writes.length, `and after ${applies} of its applies all is decided`)
  t.same(cluster.settle(), [], 'everybody has everything')
})
