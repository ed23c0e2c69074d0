import tape from 'tape'
import { Random } from '../../lib/sim/random.ts'
import { fuzzConnections } from './connection.ts'

const timeout = { timeout: 120_000 }
const seed = 20_260

for (const [role, connections] of [['outsider', 20], ['stranger', 40], ['insider', 40], ['member', 60]] as const) {
  tape(`connections: a ${role} that fuzzes breaks nothing`, timeout, async (t) => {
    const counts = { connections: 0, sessions: 0, frames: 0, closed: 0 }
    const finding = await fuzzConnections(role, new Random(seed), counts, () => counts.connections < connections)
    t.equal(finding === null ? null : `${finding.problem}\n${finding.how}`, null)
    const { sessions, frames, closed } = counts
    if (role === 'outsider') t.equal(sessions, 0, 'without the secret there is no session')
    else t.ok(sessions > 10 && frames > 30 && closed > 0, `${sessions} sessions, ${frames} frames, ${closed} closed`)
  })
}
