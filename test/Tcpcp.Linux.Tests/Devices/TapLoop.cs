using System.Net.NetworkInformation;
using Tcpcp.Linux.Devices;

namespace Tcpcp.Linux.Tests.Devices;

/// <summary>Lets every frame that leaves by a TAP interface arrive on it, until it is disposed.</summary>
internal sealed class TapLoop : IAsyncDisposable
{
    private readonly IPacketDevice _tap;
    private readonly byte[] _hardwareAddress;
    private readonly Task _loop;
    private volatile bool _stopping;

    private TapLoop(IPacketDevice tap, PhysicalAddress hardwareAddress)
    {
        _tap = tap;
        _hardwareAddress = hardwareAddress.GetAddressBytes();
        _loop = Task.Factory.StartNew(Loop, CancellationToken.None, TaskCreationOptions.LongRunning, TaskScheduler.Default);
    }

    /// <summary>Of all frames; final after the disposal.</summary>
    public long Bytes { get; private set; }

    public int LargestFrame { get; private set; }

    public static TapLoop Start(IPacketDevice tap, PhysicalAddress hardwareAddress) => new(tap, hardwareAddress);

    public async ValueTask DisposeAsync()
    {
        _stopping = true;
        await _loop;
    }

    private void Loop()
    {
        byte[] buffer = new byte[TapDevice.MaxFrameBytes];
        while (!_stopping)
        {
            if (!_tap.WaitForFrame(20))
                continue;
            while (_tap.TryRead(buffer) is > 0 and int length)
            {
                Bytes += length;
                LargestFrame = Math.Max(LargestFrame, length);
                _hardwareAddress.CopyTo(buffer, TapDevice.HeaderBytes); // addressed to this interface
                _tap.Write(buffer.AsSpan(0, length));
            }
        }
    }
}
