import { AbstractIterator, AbstractKeyIterator, AbstractValueIterator } from 'abstract-level'
import type { FeedOptions } from './iterator-feed.ts'
import type { Data, PrivateIterator, PrivateLevel, PrivateRangeOptions } from './private-api.ts'
import { IteratorFeed } from './iterator-feed.ts'

// The public types leave out both the constructor's private options and the private methods. All three classes are
// the same but for what abstract-level decodes, so one mixin makes them.
interface BaseIterator {
  close (): Promise<void>
}

type Base = new (db: PrivateLevel, options: PrivateRangeOptions) => BaseIterator
type Derived = new (db: PrivateLevel, options: PrivateRangeOptions, feed: FeedOptions) => PrivateIterator

function derive (Parent: Base): Derived {
  class ReplicaIterator extends Parent {
    readonly #feed: IteratorFeed

    constructor (db: PrivateLevel, options: PrivateRangeOptions, feed: FeedOptions) {
      // First, because it may throw, and the parent's constructor attaches this to the database.
      const opened = new IteratorFeed(feed)
      super(db, options)
      this.#feed = opened
    }

    override close (): Promise<void> {
      this.#feed.onClose()
      return super.close()
    }

    _next (): Promise<unknown> {
      return this.#feed.next()
    }

    _nextv (size: number, options: object): Promise<unknown[]> {
      return this.#feed.nextv(size, options)
    }

    _all (options: object): Promise<unknown[]> {
      return this.#feed.all(options)
    }

    _seek (target: Data, options: object): void {
      this.#feed.seek(target, options)
    }

    _close (): Promise<void> {
      return this.#feed.close()
    }
  }

  return ReplicaIterator as unknown as Derived
}

export const ReplicaEntryIterator = derive(AbstractIterator as unknown as Base)
export const ReplicaKeyIterator = derive(AbstractKeyIterator as unknown as Base)
export const ReplicaValueIterator = derive(AbstractValueIterator as unknown as Base)
