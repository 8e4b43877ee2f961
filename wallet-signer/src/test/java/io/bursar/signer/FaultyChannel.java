package io.bursar.signer;

import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.MappedByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.channels.FileLock;
import java.nio.channels.ReadableByteChannel;
import java.nio.channels.WritableByteChannel;

import org.jspecify.annotations.Nullable;

/** A file whose disk fails when told to. */
final class FaultyChannel extends FileChannel {
  enum Fault {
    /** Half of what is written arrives, then there is no space. */
    FULL,
    /** All is written, but making it durable fails. */
    FORCE
  }

  private final FileChannel file;
  private volatile @Nullable Fault fault;

  FaultyChannel(FileChannel file) {
    this.file = file;
  }

  void fail(Fault next) {
    fault = next;
  }

  void heal() {
    fault = null;
  }

  @Override
  public int write(ByteBuffer from, long position) throws IOException {
    if (fault == Fault.FULL) {
      if (from.remaining() <= 16) {
        throw new IOException("No space left on device");
      }
      var part = from.duplicate().limit(from.position() + from.remaining() / 2);
      int count = file.write(part, position);
      from.position(from.position() + count);
      return count;
    }
    return file.write(from, position);
  }

  @Override
  public void force(boolean metaData) throws IOException {
    if (fault != null) {
      throw new IOException("Input/output error");
    }
    file.force(metaData);
  }

  @Override
  public FileChannel truncate(long size) throws IOException {
    if (fault != null) {
      throw new IOException("Input/output error");
    }
    return file.truncate(size);
  }

  @Override
  public int read(ByteBuffer to, long position) throws IOException {
    return file.read(to, position);
  }

  @Override
  public long size() throws IOException {
    return file.size();
  }

  @Override
  public MemorySegment map(MapMode mode, long offset, long size, Arena arena) throws IOException {
    return file.map(mode, offset, size, arena);
  }

  @Override
  protected void implCloseChannel() throws IOException {
    file.close();
  }

  @Override
  public int read(ByteBuffer to) throws IOException {
    return file.read(to);
  }

  @Override
  public long read(ByteBuffer[] to, int offset, int length) throws IOException {
    return file.read(to, offset, length);
  }

  @Override
  public int write(ByteBuffer from) throws IOException {
    return file.write(from);
  }

  @Override
  public long write(ByteBuffer[] from, int offset, int length) throws IOException {
    return file.write(from, offset, length);
  }

  @Override
  public long position() throws IOException {
    return file.position();
  }

  @Override
  public FileChannel position(long position) throws IOException {
    return file.position(position);
  }

  @Override
  public long transferTo(long position, long count, WritableByteChannel target) throws IOException {
    return file.transferTo(position, count, target);
  }

  @Override
  public long transferFrom(ReadableByteChannel source, long position, long count) throws IOException {
    return file.transferFrom(source, position, count);
  }

  @Override
  public MappedByteBuffer map(MapMode mode, long position, long size) throws IOException {
    return file.map(mode, position, size);
  }

  @Override
  public FileLock lock(long position, long size, boolean shared) throws IOException {
    return file.lock(position, size, shared);
  }

  @Override
  public @Nullable FileLock tryLock(long position, long size, boolean shared) throws IOException {
    return file.tryLock(position, size, shared);
  }
}
