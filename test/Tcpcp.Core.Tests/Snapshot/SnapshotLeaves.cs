using System.Net;
using System.Reflection;

namespace Tcpcp.Core.Tests.Snapshot;

/// <summary>Walks a snapshot by reflection, so that no property can be forgotten.</summary>
internal static class SnapshotLeaves
{
    /// <summary>Every value of the snapshot with its path, such as <c>Window.RcvWup</c>; buffers as hexadecimal digits.</summary>
    public static IReadOnlyDictionary<string, object?> Of(ConnectionSnapshot snapshot)
    {
        Dictionary<string, object?> leaves = new(StringComparer.Ordinal);
        Collect(snapshot, "", leaves);
        return leaves;
    }

    /// <summary>A snapshot in which no property has the default value of its type. It need not be of a possible connection.</summary>
    public static ConnectionSnapshot AllSet()
    {
        int counter = 0;
        return (ConnectionSnapshot)Filled(Examples.Snapshot with { }, ref counter);
    }

    private static void Collect(object parent, string path, Dictionary<string, object?> leaves)
    {
        foreach (PropertyInfo property in StateOf(parent.GetType()))
        {
            object? value = property.GetValue(parent);
            if (IsComposite(property.PropertyType))
                Collect(value!, $"{path}{property.Name}.", leaves);
            else
                leaves[path + property.Name] = value is ReadOnlyMemory<byte> bytes ? Convert.ToHexString(bytes.Span) : value;
        }
    }

    private static object Filled(object parent, ref int counter)
    {
        foreach (PropertyInfo property in StateOf(parent.GetType()))
        {
            counter++;
            property.SetValue(parent, IsComposite(property.PropertyType)
                ? Filled(Activator.CreateInstance(property.PropertyType)!, ref counter)
                : Value(Nullable.GetUnderlyingType(property.PropertyType) ?? property.PropertyType, counter));
        }

        return parent;
    }

    private static object Value(Type type, int number) => type switch
    {
        _ when type == typeof(bool) => true,
        _ when type == typeof(byte) => (byte)(1 + (number % 14)), // a window scale has at most 14
        _ when type == typeof(int) => number,
        _ when type == typeof(uint) => (uint)number,
        _ when type == typeof(ulong) => (ulong)number,
        _ when type == typeof(string) => $"name{number}",
        _ when type == typeof(TimeSpan) => TimeSpan.FromSeconds(number),
        _ when type == typeof(SequenceNumber) => new SequenceNumber((uint)number),
        _ when type == typeof(ReadOnlyMemory<byte>) => new ReadOnlyMemory<byte>([(byte)number, 2, 3]),
        _ when type == typeof(IPAddress) => new IPAddress([10, 0, 0, (byte)number]),
        _ when type == typeof(FourTuple) => FourTuple.Parse("[fe80::1%7]:80-[fe80::9%7]:51514"),
        { IsEnum: true } => Enum.GetValues(type).GetValue(1)!,
        _ => throw new NotSupportedException($"No value is known for a {type}: add one here, and the property to the wire form."),
    };

    private static IEnumerable<PropertyInfo> StateOf(Type type) =>
        type.GetProperties(BindingFlags.Public | BindingFlags.Instance).Where(property => property.CanWrite);

    private static bool IsComposite(Type type) =>
        type.Assembly == typeof(ConnectionSnapshot).Assembly && type is { IsValueType: true, IsEnum: false }
        && type != typeof(SequenceNumber) && type != typeof(FourTuple);
}
