import { columns, type Card } from '../board.ts'
import { element } from './dom.ts'
import type { WriteState } from './writes.ts'

export interface CardActions {
  edit (card: Card, text: string): void
  remove (card: Card): void
  tick (view: CardView, isDone: boolean): void
  /** By so many columns and cards. */
  step (view: CardView, columnBy: number, indexBy: number): void
  /** It is dragged from now on. */
  grip (view: CardView): void
}

const steps: Record<string, [columnBy: number, indexBy: number]> = { ArrowUp: [0, -1], ArrowDown: [0, 1], ArrowLeft: [-1, 0], ArrowRight: [1, 0] }

const marks: Record<WriteState, string> = {
  pending: 'Being saved',
  committed: 'Saved',
  aborted: 'A change was not saved',
  unknown: 'It is not known whether a change was saved'
}

export class CardView {
  readonly element: HTMLLIElement
  card: Card = { id: '', text: '', column: 0, rank: 0 }
  readonly #grip = element('button', { type: 'button', className: 'grip', textContent: '⠿', title: 'Drag, or use the arrow keys' })
  readonly #tick = element('input', { type: 'checkbox' })
  readonly #text = element('textarea', { rows: 1, maxLength: 500, spellcheck: false })
  readonly #mark = element('span', { className: 'mark' })
  readonly #remove = element('button', { type: 'button', className: 'remove', textContent: '×', title: 'Delete' })

  constructor (actions: CardActions) {
    this.element = element('li', { className: 'card' }, this.#grip, this.#tick, this.#text, this.#mark, this.#remove)

    this.#grip.addEventListener('pointerdown', (event) => {
      if (event.button !== 0) return
      event.preventDefault()
      this.#grip.focus()
      actions.grip(this)
    })
    this.#grip.addEventListener('keydown', (event) => {
      const step = steps[event.key]
      if (step === undefined) return
      event.preventDefault()
      actions.step(this, ...step)
    })
    this.#tick.addEventListener('change', () => { actions.tick(this, this.#tick.checked) })
    this.#text.addEventListener('input', () => { actions.edit(this.card, this.#text.value) })
    this.#text.addEventListener('keydown', (event) => {
      if ((event.key !== 'Enter' && event.key !== 'Escape') || event.isComposing) return
      event.preventDefault()
      this.#text.blur()
    })
    this.#remove.addEventListener('click', () => { actions.remove(this.card) })
  }

  /** `state` is that of the last write of this tab to it. */
  show (card: Card, state: WriteState | undefined): void {
    this.card = card
    this.element.dataset.id = card.id
    this.element.dataset.state = state ?? ''
    this.#tick.checked = card.column === columns.length - 1
    // The caret stays where it is.
    if (this.#text.value !== card.text) {
      const { selectionStart, selectionEnd } = this.#text
      this.#text.value = card.text
      if (document.activeElement === this.#text) this.#text.setSelectionRange(selectionStart, selectionEnd)
    }
    this.#mark.title = state === undefined ? '' : marks[state]
    this.#grip.ariaLabel = `Move “${card.text}”: arrow keys, or drag`
    this.#tick.ariaLabel = `“${card.text}” is done`
    this.#text.ariaLabel = 'Text of the card'
    this.#remove.ariaLabel = `Delete “${card.text}”`
  }
}
