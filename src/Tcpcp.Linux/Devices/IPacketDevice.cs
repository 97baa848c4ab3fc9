namespace Tcpcp.Linux.Devices;

/// <summary>
/// A network interface of this process: what the kernel sends out of it is read, what is written arrives on it. Frames stand behind a struct virtio_net_hdr of
/// <see cref="TapDevice.HeaderBytes"/> bytes, so that those larger than the MTU, and checksums left to the hardware, go through unchanged.
/// </summary>
internal interface IPacketDevice : IDisposable
{
    /// <summary>Name of the interface.</summary>
    string Name { get; }

    /// <summary>Reads one frame with its header if there is one.</summary>
    /// <returns>Its length, or 0 if none is waiting.</returns>
    int TryRead(Span<byte> frame);

    /// <summary>Lets a frame with its header arrive on the interface.</summary>
    void Write(ReadOnlySpan<byte> frame);

    /// <summary>Waits until a frame is there.</summary>
    /// <returns>False if the time is up.</returns>
    bool WaitForFrame(int timeoutMilliseconds);

    /// <summary>Frames that found no room to wait in since the last call, where that is known here; a TAP's are counted by its interface alone (tx_dropped).</summary>
    int TakeLost();
}
