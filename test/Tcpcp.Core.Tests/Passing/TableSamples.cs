using System.Reflection;
using Tcpcp.Core.Passing;

namespace Tcpcp.Core.Tests.Passing;

/// <summary>One of each state and input of a table, found by reflection: a new record type is here without being named.</summary>
internal static class TableSamples
{
    public static readonly PassTicket Mine = new(Guid.Parse("11111111-1111-1111-1111-111111111111"), 7);
    public static readonly PassTicket Other = new(Guid.Parse("22222222-2222-2222-2222-222222222222"), 7);

    /// <summary>The failure that every state and input carries: one that no table makes by itself.</summary>
    public const PassFailure Failure = PassFailure.RefusedByApplication;

    public static IReadOnlyDictionary<string, OriginState> OriginStates { get; } = All<OriginState>();

    public static IReadOnlyDictionary<string, OriginInput> OriginInputs { get; } = All<OriginInput>();

    public static IReadOnlyDictionary<string, DestinationState> DestinationStates { get; } = All<DestinationState>();

    public static IReadOnlyDictionary<string, DestinationInput> DestinationInputs { get; } = All<DestinationInput>();

    /// <summary>What the data of a state or an input says, apart from its type.</summary>
    public static T? DataOf<T>(object record, string name)
        where T : struct => (T?)record.GetType().GetProperty(name)?.GetValue(record);

    // A verdict is six inputs: each of the three, about this pass's ticket and about another.
    private static Dictionary<string, T> All<T>()
        where T : class
    {
        Dictionary<string, T> samples = new(StringComparer.Ordinal);
        foreach (Type type in typeof(T).GetNestedTypes().Where(type => type.IsSubclassOf(typeof(T))))
        {
            ConstructorInfo constructor = type.GetConstructors().Single();
            if (constructor.GetParameters().Any(parameter => parameter.ParameterType == typeof(PassVerdict)))
            {
                foreach (PassVerdict verdict in Enum.GetValues<PassVerdict>())
                {
                    samples[verdict.ToString()] = Make<T>(constructor, Mine, verdict);
                    samples[$"{verdict} of another"] = Make<T>(constructor, Other, verdict);
                }
            }
            else
            {
                samples[type.Name] = Make<T>(constructor, Mine, default);
            }
        }

        return samples;
    }

    private static T Make<T>(ConstructorInfo constructor, PassTicket ticket, PassVerdict verdict) => (T)constructor.Invoke(
    [
        .. constructor.GetParameters().Select(parameter => parameter.ParameterType switch
        {
            Type type when type == typeof(PassTicket) => (object)ticket,
            Type type when type == typeof(PassVerdict) => verdict,
            Type type when type == typeof(PassFailure) => Failure,
            Type type when type == typeof(ConnectionOwner) => ConnectionOwner.Nobody,
            Type type => throw new NotSupportedException($"No value is known for a {type}: add one here."),
        }),
    ]);
}
