/** Makes an element with these properties and children. */
export function element<K extends keyof HTMLElementTagNameMap> (
  tag: K,
  properties: Partial<HTMLElementTagNameMap[K]> = {},
  ...children: Array<Node | string>
): HTMLElementTagNameMap[K] {
  const result = Object.assign(document.createElement(tag), properties)
  result.append(...children)
  return result
}

/** Puts these children, and no others, into `parent`. */
export function arrange (parent: Element, children: readonly Element[]): void {
  for (const child of [...parent.children]) if (!children.includes(child)) child.remove()
  for (const [i, child] of children.entries()) {
    if (parent.children[i] !== child) parent.insertBefore(child, parent.children[i] ?? null)
  }
}

/** What has the focus, and is moved meanwhile, keeps it. */
export function keepFocus (change: () => void): void {
  const focused = document.activeElement
  change()
  if (focused instanceof HTMLElement && focused.isConnected && focused !== document.activeElement) focused.focus()
}

export function byId (id: string): HTMLElement {
  const found = document.getElementById(id)
  if (found === null) throw new Error(`The page has no ${id}`)
  return found
}
