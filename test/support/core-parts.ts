import type { Candidacy } from '../../lib/core/succession.ts'
import type { Founding, Joining, PromiseMessage, StatusMessage } from '../../lib/core/messages.ts'
import type { View } from '../../lib/core/view.ts'

// Views, and what is said of them, of which a test says only what matters to it.

/** Of a, b and c, unless other members are given; all that are no witnesses are live since the first epoch, and the first of them leads. */
export function viewOf (more: Partial<View> = {}): View {
  const { members = ['a', 'b', 'c'], witnesses = [] } = more
  const live = more.live ?? members.filter(id => !witnesses.includes(id)).map(id => ({ id, since: 1 }))
  return {
    epoch: 4,
    cluster: 'k',
    members,
    before: members,
    witnesses,
    names: members.map(() => ''),
    live,
    coordinator: live[0]?.id ?? '',
    coordinatorStart: 1,
    seeder: null,
    leaseFree: false,
    ...more
  }
}

/** Live since the first epoch: one for each letter. */
export function liveOf (ids: string): View['live'] {
  return [...ids].map(id => ({ id, since: 1 }))
}

/** Of a node that has not much to say. */
export function statusOf (more: Partial<StatusMessage> = {}): StatusMessage {
  return {
    type: 'status',
    promised: more.view?.epoch ?? 1,
    view: null,
    installed: more.view?.epoch ?? 0,
    connected: [],
    minConsensus: 1,
    caughtUp: false,
    fit: true,
    founding: null,
    joining: null,
    removing: [],
    recovering: [],
    ...more
  }
}

/** Of a member that has installed the view that it reports, knows it to be chosen, and lacks nothing. */
export function promiseOf (more: Partial<PromiseMessage> = {}): PromiseMessage {
  const accepted = more.accepted === undefined ? viewOf() : more.accepted
  return {
    type: 'promise',
    epoch: 9,
    accepted,
    known: more.installed ?? accepted?.epoch ?? 0,
    installed: accepted?.epoch ?? 0,
    intact: true,
    complete: true,
    caughtUp: false,
    minConsensus: 1,
    end: { position: 10, epoch: 4 },
    base: 0,
    committed: 10,
    leases: [],
    ...more
  }
}

/** Of a founder that knows no other, and has no data. */
export function foundingOf (more: Partial<Founding> = {}): Founding {
  return { name: '', witness: false, founders: 0, required: [], unresolved: 0, data: '', vowed: [], ...more }
}

export function joiningOf (more: Partial<Joining> = {}): Joining {
  return { name: '', witness: false, replaces: '', ...more }
}

/** What a proposer of epoch 9 has gathered, if all are connected with one another. */
export function candidacyOf (promises: Candidacy['promises'], more: Partial<Candidacy> = {}): Candidacy {
  return {
    epoch: 9,
    founding: null,
    change: null,
    recovery: null,
    preferred: null,
    without: [],
    promises,
    starts: new Map([...promises.keys()].map((id, i) => [id, i + 11])),
    areConnected: () => true,
    ...more
  }
}
