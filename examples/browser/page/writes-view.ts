import { arrange, element, keepFocus } from './dom.ts'
import type { Write, Writes } from './writes.ts'

const verbs: Record<Write['kind'], string> = { add: 'Add', edit: 'Edit', move: 'Move', delete: 'Delete' }

/** The writes of this tab, each with its outcome. */
export class WritesView {
  readonly #list: HTMLElement
  readonly #writes: Writes
  readonly #items = new Map<Write, HTMLElement>()

  constructor (list: HTMLElement, writes: Writes) {
    this.#list = list
    this.#writes = writes
  }

  show (): void {
    const { list } = this.#writes
    for (const write of this.#items.keys()) if (!list.includes(write)) this.#items.delete(write)
    keepFocus(() => { arrange(this.#list, list.map((write) => this.#show(write))) })
  }

  #show (write: Write): HTMLElement {
    let item = this.#items.get(write)
    if (item === undefined) {
      item = this.#make(write)
      this.#items.set(write, item)
    }
    item.dataset.state = write.state
    const [what, outcome] = item.children
    if (what !== undefined) what.textContent = `${verbs[write.kind]} “${write.text}”${write.count > 1 ? `, ${write.count} keystrokes` : ''}`
    if (outcome !== undefined) outcome.textContent = describe(write)
    return item
  }

  #make (write: Write): HTMLElement {
    const again = element('button', { type: 'button', textContent: 'Try again' })
    again.addEventListener('click', () => { void this.#writes.again(write) })
    const dismiss = element('button', { type: 'button', textContent: 'Dismiss' })
    dismiss.addEventListener('click', () => { this.#writes.dismiss(write) })
    return element('li', {}, element('span', { className: 'what' }), element('span', { className: 'outcome' }), element('div', { className: 'remedies' }, again, dismiss))
  }
}

function describe ({ state, code, tookMs, isLate }: Write): string {
  const took = tookMs < 1000 ? `${tookMs} ms` : `${(tookMs / 1000).toFixed(1)} s`
  switch (state) {
    case 'pending': return 'pending'
    case 'committed': return isLate ? `committed, as the servers say now (${code})` : `committed in ${took}`
    case 'aborted': return isLate ? `aborted, as the servers say now (${code})` : `aborted after ${took} (${code}): not saved`
    case 'unknown': return `unknown after ${took} (${code}): saved or not, the servers will say`
  }
}
