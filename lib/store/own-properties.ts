/** Sets properties of an object that were (mostly) its prototype's, and puts back exactly what was there. */
export class OwnProperties {
  readonly #target: object
  readonly #before = new Map<PropertyKey, PropertyDescriptor | undefined>()

  constructor (target: object) {
    this.#target = target
  }

  define (name: PropertyKey, value: unknown): void {
    this.#before.set(name, Object.getOwnPropertyDescriptor(this.#target, name))
    Object.defineProperty(this.#target, name, { value, configurable: true, enumerable: false, writable: true })
  }

  restore (): void {
    for (const [name, descriptor] of this.#before) {
      if (descriptor === undefined) Reflect.deleteProperty(this.#target, name)
      else Object.defineProperty(this.#target, name, descriptor)
    }
    this.#before.clear()
  }
}
