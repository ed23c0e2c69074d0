import type { ReplicatorStats } from 'quorum-level'
import { arrange, byId, element } from './dom.ts'

/** Which servers are connected, who coordinates, and what that means for this tab. */
export class StatusView {
  readonly #items = new Map<string, HTMLElement>()
  #shown = ''

  show (stats: ReplicatorStats, isUnplugged: boolean): void {
    const servers = CONFIGURATION.servers.map(({ name }) => {
      const peer = stats.peers.find((peer) => peer.name === name && !peer.observer)
      if (peer?.connected !== true) return { name, state: 'gone', note: 'not connected' }
      if (!peer.live) return { name, state: 'behind', note: 'catching up' }
      return { name, state: 'live', note: stats.coordinator?.name === name ? 'coordinates' : 'connected' }
    })
    const text = describe(stats, servers.some(({ state }) => state !== 'gone'), isUnplugged)
    // This is called again and again.
    const shown = JSON.stringify([servers, text, isUnplugged, stats.status])
    if (shown === this.#shown) return
    this.#shown = shown

    arrange(byId('servers'), servers.map(({ name, state, note }) => {
      const item = this.#items.get(name) ?? element('li', {}, element('b', { textContent: name }), ' ', element('small'))
      this.#items.set(name, item)
      item.dataset.server = name
      item.dataset.state = state
      item.dataset.note = note
      if (item.lastChild !== null) item.lastChild.textContent = note
      return item
    }))
    byId('status').textContent = text
    byId('plug').textContent = isUnplugged ? 'Plug in' : 'Unplug this tab'
    document.body.dataset.status = stats.status
  }
}

function describe (stats: ReplicatorStats, isConnected: boolean, isUnplugged: boolean): string {
  const seconds = CONFIGURATION.writeTimeoutMs / 1000
  const copy = stats.epoch === 0 ? 'This tab has no copy yet.' : `This is the tab’s own copy. Changes wait ${seconds} s for a server.`
  if (stats.failure !== null) return stats.failure.message
  if (isUnplugged) return `Unplugged. ${copy}`
  if (!isConnected) return `No server can be reached. ${copy}`
  if (stats.status !== 'ready') return `Connected, but changes wait: ${stats.waitingFor}`
  return 'Connected: what others change appears here.'
}
