import { columns, type Card } from '../board.ts'
import { CardView, type CardActions } from './card-view.ts'
import { arrange, element, keepFocus } from './dom.ts'
import type { Write } from './writes.ts'

export interface BoardActions {
  add (column: number, text: string): void
  edit (card: Card, text: string): void
  /** `index` is among the other cards of that column. */
  move (card: Card, column: number, index: number): void
  remove (card: Card): void
}

/** The columns, with the cards in them. */
export class BoardView {
  readonly #actions: BoardActions
  readonly #lists: HTMLElement[] = []
  readonly #counts: HTMLElement[] = []
  readonly #views = new Map<string, CardView>()
  #cards: readonly Card[][] = []
  #latest: (card: string) => Write | undefined = () => undefined
  /** Whatever comes meanwhile is shown when it is dropped. */
  #dragged: CardView | null = null

  constructor (main: HTMLElement, actions: BoardActions) {
    this.#actions = actions
    main.append(...columns.map((title, column) => this.#makeColumn(title, column)))
    document.addEventListener('pointermove', ({ clientX, clientY }) => { if (this.#dragged !== null) this.#drag(this.#dragged, clientX, clientY) })
    document.addEventListener('pointerup', () => { this.#drop() })
    document.addEventListener('pointercancel', () => { this.#release() })
  }

  /** `latest` tells the last write of this tab to a card. */
  show (cards: readonly Card[][], latest: (card: string) => Write | undefined): void {
    this.#cards = cards
    this.#latest = latest
    if (this.#dragged !== null) return

    const all = cards.flat()
    for (const id of this.#views.keys()) if (!all.some((card) => card.id === id)) this.#views.delete(id)
    keepFocus(() => {
      for (const [column, inColumn] of cards.entries()) {
        arrange(this.#list(column), inColumn.map((card) => this.#show(card)))
        const count = this.#counts[column]
        if (count !== undefined) count.textContent = String(inColumn.length)
      }
    })
  }

  #show (card: Card): Element {
    let view = this.#views.get(card.id)
    if (view === undefined) {
      view = new CardView(this.#cardActions())
      this.#views.set(card.id, view)
    }
    view.show(card, this.#latest(card.id)?.state)
    return view.element
  }

  #cardActions (): CardActions {
    const { edit, remove } = this.#actions
    return {
      edit,
      remove,
      tick: ({ card }, isDone) => { this.#move(card, isDone ? columns.length - 1 : 0, Infinity) },
      step: ({ card }, columnBy, indexBy) => {
        const column = card.column + columnBy
        const index = this.#cards[card.column]?.findIndex(({ id }) => id === card.id) ?? 0
        if (column >= 0 && column < columns.length && index + indexBy >= 0) this.#move(card, column, index + indexBy)
      },
      grip: (view) => {
        this.#dragged = view
        view.element.classList.add('dragged')
      }
    }
  }

  #move (card: Card, column: number, index: number): void {
    const others = this.#cards[column]?.filter(({ id }) => id !== card.id).length ?? 0
    this.#actions.move(card, column, Math.min(index, others))
  }

  // Dragging: the card itself goes wherever it would be dropped.

  #drag (view: CardView, x: number, y: number): void {
    const distances = this.#lists.map((list) => {
      const { left, right, top, bottom } = (list.parentElement ?? list).getBoundingClientRect()
      // On a narrow screen they are one below the other.
      return 10_000 * Math.max(left - x, x - right, 0) + Math.max(top - y, y - bottom, 0)
    })
    const column = distances.indexOf(Math.min(...distances))
    const list = this.#list(column)
    const others = [...list.children].filter((child) => child !== view.element)
    const next = others.find((child) => {
      const { top, height } = child.getBoundingClientRect()
      return y < top + height / 2
    })
    if (view.element.parentElement !== list || view.element.nextElementSibling !== (next ?? null)) list.insertBefore(view.element, next ?? null)
  }

  #drop (): void {
    const view = this.#dragged
    if (view === null) return
    const column = this.#lists.findIndex((list) => list === view.element.parentElement)
    const index = [...this.#list(column).children].indexOf(view.element)
    const { card } = view
    const isMoved = column !== card.column || this.#cards[column]?.[index]?.id !== card.id
    this.#release()
    if (isMoved) this.#move(card, column, index)
  }

  #release (): void {
    this.#dragged?.element.classList.remove('dragged')
    this.#dragged = null
    this.show(this.#cards, this.#latest)
  }

  #list (column: number): HTMLElement {
    return this.#lists[column] as HTMLElement
  }

  #makeColumn (title: string, column: number): HTMLElement {
    const id = `column-${column}`
    const count = element('span', { className: 'count' })
    const list = element('ul')
    const input = element('input', { placeholder: 'Add a card', ariaLabel: `Add a card to ${title}`, autocomplete: 'off', maxLength: 500 })
    const form = element('form', {}, input, element('button', { textContent: 'Add' }))
    form.addEventListener('submit', (event) => {
      event.preventDefault()
      const text = input.value.trim()
      input.value = ''
      if (text !== '') this.#actions.add(column, text)
    })
    this.#lists.push(list)
    this.#counts.push(count)
    const section = element('section', {}, element('h2', { id }, title, ' ', count), list, form)
    section.setAttribute('aria-labelledby', id)
    return section
  }
}
